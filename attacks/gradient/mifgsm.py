"""Steps along the accumulated gradient: MI-FGSM."""

from functools import partial
from typing import Unpack

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Keep, Walking, perturb
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Momentum, StepSize
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def mifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    joint: bool = False,
    cooling: float = 1.0,
    keep: Keep = "best",
    **common: Unpack[Walking],
) -> Result:
    """Steps along the accumulated gradient.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        joint: normalise by one mean over all attacked inputs, instead of one for each.
        cooling: the share of its size that the last step has; sizes fall by half a cosine. 1: all steps are equal.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Walking`.

    Raises:
        UsageError: a share that is none.

    Source: Dong et al., "Boosting Adversarial Attacks with Momentum", arXiv 1710.06081, algorithm 1.
    """
    if not 0 < cooling <= 1:
        raise UsageError(f"--cooling {cooling:g}: pass a share of the first step's size, above 0, up to 1")

    def even(ball: Ball) -> Tensor:
        return ball.reach / steps

    rule = partial(Momentum, decay=decay, joint=joint, cooling=cooling)
    size: StepSize = even if step_size is None else step_size
    return perturb(
        problem, inputs, threat, steps=steps, step_size=size, rule=rule, keep=keep, attack="mifgsm", **common
    )
