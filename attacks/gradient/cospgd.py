"""PGD that weighs pixels by how well the prediction still fits: CosPGD."""

from functools import partial
from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep
from rgbdsod.attacks.gradient.pgd import pgd
from rgbdsod.attacks.gradient.segpgd import hundredth
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.types import Inputs


def cospgd(
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
    """PGD on a map with objective "cospgd": each pixel weighs as much as its prediction still fits the truth.

    Points are ranked by the plain cross-entropy, since the weighted one falls as pixels turn.

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

    Source: Agnihotri et al., "CosPGD: an efficient white-box adversarial attack for pixel-wise prediction tasks", arXiv
    2302.02213, equations 5 to 8.
    """
    size: StepSize = partial(hundredth, steps=steps) if step_size is None else step_size
    return pgd(
        problem.raising("cospgd"),
        inputs,
        threat,
        steps=steps,
        step_size=size,
        restarts=restarts,
        random_start=random_start,
        keep=keep,
        **common,
    )
