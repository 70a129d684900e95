"""Steps along the accumulated gradient, taken a step ahead: NI-FGSM."""

from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.transfer.climb import climb
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.types import Inputs


def nifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Steps along the accumulated gradient, which is taken where the memory leads.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Source: Lin et al., "Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks", arXiv 1908.06281,
    equations 6 to 8.
    """
    return climb(
        problem,
        inputs,
        threat,
        InTurn(),
        attack="nifgsm",
        steps=steps,
        step_size=step_size,
        decay=decay,
        keep=keep,
        lookahead=True,
        **common,
    )
