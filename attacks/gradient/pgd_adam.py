"""Projected steps of Adam."""

from collections.abc import Mapping
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep, at_clean, at_random, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Ascent, StepSize
from rgbdsod.types import Inputs

_FIRST, _SECOND = 0.9, 0.999  # what is kept of the gradient's mean and of its square


class Adam(Ascent):
    """A step of each value by the mean of its gradients over their size, then the projection.

    The size is kept as a root: the square of a gradient near 1e-25 is 0 in float32. A value that never had a gradient
    stays.

    Args:
        balls: by attacked input.
        sizes: the step sizes, per value.
        steps: how many there will be.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, algorithm 1.
    """

    def __init__(self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int) -> None:
        super().__init__(balls, sizes, steps)
        self._mean: dict[str, Tensor] = {}
        self._root: dict[str, Tensor] = {}
        self._step = 0

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Up the mean gradient."""
        self._step += 1
        return {name: self._moved(name, point, evaluation.gradients[name]) for name, point in points.items()}

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples, and what is remembered of them."""
        super().select(index, balls)
        self._mean = {name: value[index] for name, value in self._mean.items()}
        self._root = {name: value[index] for name, value in self._root.items()}

    def _moved(self, name: str, point: Tensor, gradient: Tensor) -> Tensor:
        mean = self._mean[name] = torch.lerp(gradient, self._mean.get(name, torch.zeros_like(gradient)), _FIRST)
        old = self._root.get(name, torch.zeros_like(gradient))
        root = self._root[name] = torch.hypot(_SECOND**0.5 * old, (1 - _SECOND) ** 0.5 * gradient)
        bias = (1 - _SECOND**self._step) ** 0.5 / (1 - _FIRST**self._step)
        pace = bias * mean / root.clamp_min(torch.finfo(root.dtype).tiny)
        return self._balls[name].project(torch.addcmul(point, pace, self._sizes[name]))


def pgd_adam(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 40,
    step_size: StepSize = None,
    restarts: int = 1,
    random_start: bool = True,
    keep: Keep = "best",
    **common: Unpack[Common],
) -> Result:
    """Steps of Adam from a random point, each projected back into the budget.

    Adam evens out how far the values move, which suits Linf. For L2 it bends the steepest way, and for sparse norms it
    hides which values matter, so these are refused.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf or L2.
        steps: how many.
        step_size: of a value whose gradients agree; None: a tenth of the radius, for L2 of the radius over the root of
            the number of values.
        restarts: runs from different starts; each sample keeps its best.
        random_start: begin at a random point of the ball rather than at the clean input.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: an L1 or L0 budget.

    Source: Madry et al., arXiv 1706.06083, with the optimiser of arXiv 1412.6980.
    """
    check_norms("pgd-adam", threat, ("linf", "l2"))
    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=_tenth if step_size is None else step_size,
        restarts=restarts,
        start=at_random if random_start else at_clean,
        rule=Adam,
        keep=keep,
        attack="pgd-adam",
        **common,
    )


def _tenth(ball: Ball) -> Tensor:
    """A tenth of the radius in each value; for L2 a tenth of the radius together."""
    return ball.reach / 10 if ball.budget.norm == "linf" else ball.reach / (10 * ball.free().sqrt())
