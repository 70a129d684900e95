"""The walk that all transfer attacks share: a stack of estimates, an accumulated gradient, even steps."""

from functools import partial
from typing import Unpack

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Estimate, Keep, perturb
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Momentum, StepSize
from rgbdsod.attacks.transfer.lookahead import LookAhead
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def climb(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    estimate: Estimate,
    *,
    attack: str,
    steps: int,
    step_size: StepSize,
    decay: float,
    keep: Keep,
    lookahead: bool = False,
    joint: bool = False,
    **common: Unpack[Common],
) -> Result:
    """Steps along the accumulated estimate.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        estimate: how the gradient at a point is found.
        attack: the attack's name.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        keep: the "best" point on the way or the "last".
        lookahead: take the gradient where the accumulated one leads.
        joint: normalise by one mean over all attacked inputs, instead of one for each.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a negative decay.
    """
    if decay < 0:
        raise UsageError(f"--decay {decay:g}: pass 0 (no memory) or more")

    def even(ball: Ball) -> Tensor:
        return ball.reach / max(steps, 1)

    rule = partial(LookAhead if lookahead else Momentum, decay=decay, joint=joint)
    size: StepSize = even if step_size is None else step_size
    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=size,
        rule=rule,
        estimate=estimate,
        keep=keep,
        attack=attack,
        **common,
    )
