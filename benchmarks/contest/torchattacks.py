"""torchattacks: objects with steps for settings, called with images and labels."""

from importlib.metadata import version

import torchattacks as ta
from torch import Tensor

from contest.cases import CW_CONSTANT, NEIGHBOURS, Case
from contest.tasks import Task

VERSION = version("torchattacks")
ATTACKS = {
    "pgd": lambda task, case: ta.PGD(task.network, case.eps, case.step_size, case.steps),
    "mifgsm": lambda task, case: ta.MIFGSM(task.network, case.eps, case.step_size, case.steps),
    "nifgsm": lambda task, case: ta.NIFGSM(task.network, case.eps, case.step_size, case.steps),
    "vmifgsm": lambda task, case: ta.VMIFGSM(task.network, case.eps, case.step_size, case.steps, N=NEIGHBOURS),
    "apgd": lambda task, case: ta.APGD(task.network, eps=case.eps, steps=case.steps),
    "cw": lambda task, case: ta.CW(task.network, CW_CONSTANT, steps=case.steps),
    "deepfool": lambda task, case: ta.DeepFool(task.network, case.steps),
    "fab": lambda task, case: ta.FAB(task.network, "L2", eps=1e3, steps=case.steps),
    "jsma": lambda task, case: ta.JSMA(task.network, gamma=2 * case.steps / task.images[0].numel()),
    "square": lambda task, case: ta.Square(task.network, eps=case.eps, n_queries=case.steps),
}


def run(task: Task, case: Case) -> Tensor:
    """The adversarial images."""
    attack = ATTACKS[case.name](task, case)
    if case.targeted:
        attack.set_mode_targeted_by_label(quiet=True)
    return attack(task.images, task.targets if case.targeted else task.labels)
