"""adversarial-library: plain functions of a model, images and labels."""

import math
from functools import partial
from importlib.metadata import version

from adv_lib import attacks
from torch import Tensor

from contest.cases import CW_CONSTANT, Case
from contest.tasks import Task

VERSION = version("adv-lib")
ATTACKS = {
    "pgd": lambda case: partial(attacks.pgd_linf, ε=case.eps, steps=case.steps, absolute_step_size=case.step_size),
    "apgd": lambda case: partial(attacks.apgd, eps=case.eps, norm=math.inf, n_iter=case.steps, loss_function="ce"),
    "cw": lambda case: partial(
        attacks.carlini_wagner_l2, binary_search_steps=1, max_iterations=case.steps, initial_const=CW_CONSTANT
    ),
    "deepfool": lambda case: partial(attacks.df, steps=case.steps),
    "ddn": lambda case: partial(attacks.ddn, steps=case.steps, levels=None),
    "fmn": lambda case: partial(attacks.fmn, norm=2, steps=case.steps),
    "fab": lambda case: partial(attacks.fab, norm=2, n_iter=case.steps),
}


def run(task: Task, case: Case) -> Tensor:
    """The adversarial images."""
    return ATTACKS[case.name](case)(task.network, task.images, task.labels)
