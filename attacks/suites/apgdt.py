"""APGD towards each of the strongest other classes in turn."""

from typing import Unpack

import torch

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.suites.member import Member, Ranked
from rgbdsod.attacks.suites.worst import SuiteResult, worst_case
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_FEWEST = 4
"""Classes that a targeted DLR needs."""


def apgdt(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    rivals: int = 9,
    **common: Unpack[Common],
) -> SuiteResult:
    """APGD on the targeted DLR, once for each of the strongest other classes; samples that are fooled leave.

    Args:
        problem: class scores, without a target of its own. With fewer than 4 classes the margin takes DLR's place.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf, L2 or L1.
        steps: of each run.
        rivals: how many other classes are tried.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no class scores, no rivals.

    Source: Croce and Hein, "Reliable evaluation of adversarial robustness", arXiv 2003.01690, section 4 and 5.
    """
    check_norms("apgd-t", threat, ("linf", "l2", "l1"))
    if rivals < 1:
        raise UsageError(f"--rivals {rivals} leads nowhere; pass 1 or more")
    if not isinstance(problem, Ranked):
        raise UsageError(f"{problem.name} has no class scores to lead to; use apgd")
    with Engine.open(problem, inputs, threat, attack="apgd-t") as engine, torch.no_grad():
        outputs = engine.forward(engine.clean)
    classes = outputs.shape[1]
    objective = "dlr" if classes >= _FEWEST else "margin"
    members = [Member("apgd", {"steps": steps}, objective, rank) for rank in range(min(rivals, classes - 1))]
    common["stop"] = True
    return worst_case(problem.ranked(outputs, rivals), inputs, threat, members, **common)
