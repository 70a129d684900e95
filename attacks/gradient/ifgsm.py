"""Small steps from the clean input: I-FGSM, also called BIM."""

from functools import partial
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep, perturb
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.types import Inputs


def ifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int | None = None,
    step_size: StepSize = None,
    keep: Keep = "best",
    **common: Unpack[Common],
) -> Result:
    """Small steps from the clean input (I-FGSM, also called BIM).

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many; None: min(e + 4, 1.25 e) for the largest Linf radius of e grey levels, 10 for other norms.
        step_size: None: 1/255 for Linf, the norm's own for others.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Source: Kurakin et al., "Adversarial examples in the physical world", arXiv 1607.02533, section 2.2.
    """
    count = _grey_level_steps(threat) if steps is None else steps
    size: StepSize = partial(_grey_level, steps=count) if step_size is None else step_size
    return perturb(problem, inputs, threat, steps=count, step_size=size, keep=keep, attack="ifgsm", **common)


def _grey_level(ball: Ball, steps: int) -> Tensor:
    """One grey level for Linf."""
    return torch.full_like(ball.radius, 1 / 255) if ball.budget.norm == "linf" else ball.default_step(steps)


def _grey_level_steps(threat: Threat) -> int:
    """The paper's number of steps: enough to cross the radius in grey levels, and a few more."""
    levels = [255 * float(b.eps.max() if isinstance(b.eps, Tensor) else b.eps) for b in threat.values()]
    if not levels or any(budget.norm != "linf" for budget in threat.values()):
        return 10
    return max(1, round(min(max(levels) + 4, 1.25 * max(levels))))
