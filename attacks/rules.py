"""How a step is made from a gradient. A rule lives for one restart and may remember."""

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import Ball
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

StepSize = float | Tensor | Mapping[str, float | Tensor] | Callable[[Ball], Tensor] | None
"""One size for all inputs, one for each, a function of the ball, or None: the norm's own."""


class Rule(Protocol):
    """One restart's way through the balls."""

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """Where the gradient is taken; the points themselves, or ahead of them."""
        ...

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """The next points, inside their balls."""
        ...

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples, whose balls these are."""
        ...


MakeRule = Callable[[Mapping[str, Ball], Mapping[str, Tensor], int], Rule]
"""(balls, step sizes, steps) -> a fresh rule for one restart."""


class Ascent:
    """A step of fixed size along the steepest direction, then the projection.

    Args:
        balls: by attacked input; each has its own direction, step and projection.
        sizes: the step sizes.
        steps: how many there will be.
        top: L1 only: how many values share a step; None: 5 %.
    """

    def __init__(
        self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int, *, top: int | None = None
    ) -> None:
        self._balls, self._sizes, self._top = balls, sizes, top
        self._heat = 1.0  # of the sizes that the next step has

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """At the points themselves."""
        return points

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Up the gradient."""
        return self.move(points, evaluation.gradients)

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples."""
        self._balls = balls
        self._sizes = {name: rows(size, index) for name, size in self._sizes.items()}

    def move(self, points: Inputs, ways: Inputs) -> dict[str, Tensor]:
        """A step along each input's own direction, projected."""
        moved = {}
        for name, point in points.items():
            ball = self._balls[name]
            way = ball.direction(ways[name], point, self._top)
            moved[name] = ball.project(torch.addcmul(point, way, self._sizes[name], value=self._heat, out=way))
        return moved


class Momentum(Ascent):
    """Steps along the accumulated gradient, each contribution normalised by its mean absolute value.

    A gradient that is exactly 0 contributes 0.

    Args:
        balls: by attacked input.
        sizes: the step sizes.
        steps: how many there will be.
        decay: what is kept of the memory at each step.
        joint: normalise by one mean over all attacked inputs, instead of one for each.
        cooling: the share of its size that the last step has; on the way there sizes fall by half a cosine.

    Source: Dong et al., "Boosting Adversarial Attacks with Momentum", arXiv 1710.06081, equation 6.
    """

    def __init__(
        self,
        balls: Mapping[str, Ball],
        sizes: Mapping[str, Tensor],
        steps: int,
        *,
        decay: float = 1.0,
        joint: bool = False,
        cooling: float = 1.0,
    ) -> None:
        super().__init__(balls, sizes, steps)
        self._decay, self._joint, self._cooling = decay, joint, cooling
        self._done, self._last = 0, max(steps - 1, 1)
        self._memory: dict[str, Tensor] = {}

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Up the memory."""
        fresh = normalised(evaluation.gradients, joint=self._joint)
        if self._memory:
            fresh = {name: torch.add(value, self._memory[name], alpha=self._decay) for name, value in fresh.items()}
        self._memory = fresh
        self._heat = self._cooling + (1 - self._cooling) * (1 + math.cos(math.pi * self._done / self._last)) / 2
        self._done += 1
        return self.move(points, fresh)

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples, and what is remembered of them."""
        super().select(index, balls)
        self._memory = {name: value[index] for name, value in self._memory.items()}


def rows(value: Tensor, index: Tensor) -> Tensor:
    """The rows of a value per sample; a value for all samples as it is."""
    return value[index] if value.ndim > 0 and value.shape[0] > 1 else value


def normalised(gradients: Inputs, *, joint: bool = False) -> dict[str, Tensor]:
    """Each sample's gradients divided by their mean absolute value; 0 where that is 0.

    Args:
        gradients: by input, each (B, ...).
        joint: one mean over all inputs' values instead of one for each input.
    """
    totals = {name: value.abs().flatten(1).sum(1) for name, value in gradients.items()}
    counts = {name: value[0].numel() for name, value in gradients.items()}
    if joint:
        total, count = torch.stack(list(totals.values())).sum(0), sum(counts.values())
        totals, counts = dict.fromkeys(totals, total), dict.fromkeys(counts, count)
    scaled = {}
    for name, value in gradients.items():
        mean = (totals[name] / counts[name]).clamp_min(torch.finfo(value.dtype).tiny)
        scaled[name] = value / mean.view(-1, *[1] * (value.ndim - 1))
    return scaled


def step_sizes(step_size: StepSize, balls: Mapping[str, Ball], steps: int) -> dict[str, Tensor]:
    """Each input's step size as a tensor that broadcasts to it.

    Raises:
        UsageError: a size is missing, or not above 0.
    """
    sizes = {}
    for name, ball in balls.items():
        if isinstance(step_size, Mapping):
            if name not in step_size:
                raise UsageError(f"--step-size names {', '.join(step_size)}, but {name} is attacked too")
            size: float | Tensor = step_size[name]
        elif step_size is None:
            size = ball.default_step(steps)
        else:
            size = step_size(ball) if callable(step_size) and not isinstance(step_size, Tensor) else step_size
        if not isinstance(size, Tensor) and not size > 0:
            raise UsageError(f"--step-size {size:g} does not move; pass a size above 0, for example 2/255")
        sizes[name] = torch.as_tensor(size, dtype=ball.clean.dtype, device=ball.clean.device)
    return sizes
