"""Steps from a random start, each projected: PGD."""

from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Keep, Walking, at_clean, at_random, perturb
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.types import Inputs


def pgd(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    restarts: int = 1,
    random_start: bool = True,
    keep: Keep = "best",
    **common: Unpack[Walking],
) -> Result:
    """Steps along the gradient from a random point, each projected back into the budget.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: Linf eps/4, L2 2.5 eps/steps, L1 eps/5.
        restarts: runs from different starts; each sample keeps its best.
        random_start: begin at a random point of the ball rather than at the clean input.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Walking`.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", arXiv 1706.06083; L1: arXiv
    2103.01208; L0: arXiv 1909.05040.
    """
    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=step_size,
        restarts=restarts,
        start=at_random if random_start else at_clean,
        keep=keep,
        attack="pgd",
        **common,
    )
