"""The rule of APGD: steps that shrink where they stop to pay, with a return to the best point."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.gradient.pace import Pace, checkpoints, chosen
from rgbdsod.attacks.gradient.sparsity import Sparsity
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.rules import rows


class Adaptive:
    """Steps with momentum; at checkpoints a sample whose steps do not pay halves them and returns to its best point.

    Inputs with an L1 budget take sparse steps without momentum, on a schedule of their own. Whoever asks for a return,
    all inputs return, since a gradient belongs to all of them.

    Args:
        balls: by attacked input.
        sizes: the first steps' sizes.
        steps: how many there will be.
        rho: the share of the steps that must raise the value.
        momentum: weight of the fresh step against the direction of the last one.

    Source: Croce and Hein, arXiv 2003.01690, algorithm 1; L1: arXiv 2103.01208, algorithm 1.
    """

    def __init__(
        self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int, *, rho: float, momentum: float
    ) -> None:
        self._balls, self._sizes, self._rho, self._momentum = balls, sizes, rho, momentum
        self._sparse = {
            name: Sparsity(ball, sizes[name], steps) for name, ball in balls.items() if ball.budget.norm == "l1"
        }
        self._checks, self._step, self._checked = checkpoints(steps), 0, 0
        self._before: dict[str, Tensor] = {}
        self._pace: Pace | None = None

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """At the points themselves."""
        return points

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Up the gradient from these points, or from the best."""
        pace = self.note(points, evaluation)
        gradients = evaluation.gradients
        for back in self._returns(pace):
            points = chosen(back, pace.points, points)
            gradients = chosen(back, pace.gradients, gradients)
        moved = {name: self._moved(name, point, gradients[name], pace.share) for name, point in points.items()}
        self._before, self._step = points, self._step + 1
        return moved

    def note(self, points: dict[str, Tensor], evaluation: Evaluation) -> Pace:
        """Remember a point; returns what is remembered."""
        if self._pace is None:
            self._pace = Pace.of(points, evaluation)
        else:
            self._pace.note(points, evaluation)
        return self._pace

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples."""
        self._balls = balls
        self._sizes = {name: rows(size, index) for name, size in self._sizes.items()}
        self._before = {name: value[index] for name, value in self._before.items()}
        self._pace = self._pace.select(index) if self._pace else None
        for name, sparsity in self._sparse.items():
            sparsity.select(index, balls[name])

    def _returns(self, pace: Pace) -> list[Tensor]:
        """Which samples go back to their best point, bool (B,) by each schedule that is due."""
        found = [
            self._sparse[name].check(pace.points[name]) for name in self._sparse if self._sparse[name].due(self._step)
        ]
        if self._step in self._checks and len(self._sparse) < len(self._balls):
            found.append(pace.check(self._rho * (self._step - self._checked)))
            self._checked = self._step
        return found

    def _moved(self, name: str, point: Tensor, gradient: Tensor, share: Tensor) -> Tensor:
        """The next point of one input."""
        ball = self._balls[name]
        if name in self._sparse:
            return ball.project(point + self._sparse[name].way(point, gradient))
        size = self._sizes[name] * share.to(point).view(-1, *[1] * (point.ndim - 1))
        fresh = ball.project(torch.addcmul(point, ball.direction(gradient, point), size))
        if not self._before:
            return fresh
        drift = torch.lerp(point - self._before[name], fresh - point, self._momentum)
        return ball.project(drift.add_(point))
