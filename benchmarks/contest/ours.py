"""This package, by the names of its table of attacks."""

from typing import Any

from torch import Tensor

import rgbdsod
from contest.cases import COORDINATES, CW_CONSTANT, DECISIONS, NEIGHBOURS, Case
from contest.tasks import Task
from rgbdsod.attacks import ATTACKS, Budget

VERSION = rgbdsod.__version__
_PLAIN = {"weight": CW_CONSTANT, "hierarchy": False, "importance": False}
__all__ = ["ATTACKS", "VERSION", "run"]


def _settings(task: Task, case: Case) -> dict[str, Any]:
    """A case in our attacks' own words."""
    steps = {"steps": case.steps}
    sized = {**steps, "step_size": case.step_size}
    own = {
        "pgd": sized,
        "mifgsm": sized,
        "nifgsm": sized,
        "vmifgsm": {**sized, "variance_samples": NEIGHBOURS},
        "cw": {**steps, "rounds": 1},
        "jsma": {"share": 2 * case.steps / task.images[0].numel()},
        "square": {"queries": case.steps},
        "hopskipjump": {"queries": DECISIONS * case.steps},
        "zoo": {"queries": 2 * (COORDINATES + 1) * case.steps, "coordinates": COORDINATES, "rounds": 1, **_PLAIN},
    }
    return own.get(case.name, steps)


def run(task: Task, case: Case) -> Tensor:
    """The adversarial images."""
    radius = task.images[0].numel() if case.eps is None else case.eps  # nobody's change is that long
    threat = {name: Budget(case.norm, radius, unit="value") for name in task.problem().inputs}
    attack, inputs = ATTACKS[case.name].load(), task.inputs(task.images)
    result = attack(task.problem(case.targeted), inputs, threat, **_settings(task, case))
    task.network.samples = int(result.queries.sum())
    return task.points(result.inputs)
