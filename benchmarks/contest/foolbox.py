"""foolbox: objects called with a bounded model, a criterion and radii."""

from importlib.metadata import version

import foolbox as fb
from foolbox import attacks as fa
from torch import Tensor

from contest.cases import CW_CONSTANT, Case
from contest.tasks import Task

VERSION = version("foolbox")
ATTACKS = {
    "pgd": lambda case: fa.LinfProjectedGradientDescentAttack(abs_stepsize=case.step_size, steps=case.steps),
    "mifgsm": lambda case: fa.LinfMomentumIterativeFastGradientMethod(abs_stepsize=case.step_size, steps=case.steps),
    "cw": lambda case: fa.L2CarliniWagnerAttack(1, case.steps, initial_const=CW_CONSTANT),
    "deepfool": lambda case: fa.L2DeepFoolAttack(steps=case.steps),
    "ddn": lambda case: fa.DDNAttack(steps=case.steps),
    "fmn": lambda case: fa.L2FMNAttack(steps=case.steps),
    "hopskipjump": lambda case: fa.HopSkipJumpAttack(steps=case.steps),
}


def run(task: Task, case: Case) -> Tensor:
    """The adversarial images."""
    model = fb.PyTorchModel(task.network, bounds=(0, 1))
    attack = ATTACKS[case.name](case)
    _, points, _ = attack(model, task.images, fb.Misclassification(task.labels), epsilons=case.eps)
    return points
