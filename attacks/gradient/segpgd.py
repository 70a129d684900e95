"""PGD that spends its first steps on the pixels still to turn: SegPGD."""

from functools import partial
from typing import Unpack

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep
from rgbdsod.attacks.gradient.pgd import pgd
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.types import Inputs


def segpgd(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    restarts: int = 1,
    random_start: bool = True,
    keep: Keep = "best",
    **common: Unpack[Common],
) -> Result:
    """PGD on a map with objective "segpgd": pixels still to turn first, all pixels equally at the end.

    Points are ranked by the plain cross-entropy, since the weights of two steps differ.

    Args:
        problem: what is attacked; a model of maps.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: 0.01 for Linf, the norm's own for others.
        restarts: runs from different starts; each sample keeps its best.
        random_start: begin at a random point of the ball rather than at the clean input.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a problem without maps.

    Source: Gu et al., "SegPGD: An Effective and Efficient Adversarial Attack for Evaluating and Boosting Segmentation
    Robustness", arXiv 2207.12391, algorithm 1.
    """
    size: StepSize = partial(hundredth, steps=steps) if step_size is None else step_size
    return pgd(
        problem.raising("segpgd"),
        inputs,
        threat,
        steps=steps,
        step_size=size,
        restarts=restarts,
        random_start=random_start,
        keep=keep,
        **common,
    )


def hundredth(ball: Ball, steps: int) -> Tensor:
    """A hundredth of the range for Linf."""
    return ball.radius.new_tensor(0.01) if ball.budget.norm == "linf" else ball.default_step(steps)
