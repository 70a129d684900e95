"""The gradient taken a step ahead: Nesterov's momentum."""

import torch
from torch import Tensor

from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.rules import Momentum


class LookAhead(Momentum):
    """Accumulates gradients that are taken where the memory alone would lead.

    Source: Lin et al., "Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks", arXiv 1908.06281,
    equations 6 to 8.
    """

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """A step ahead along the memory; outside ball and box, as in the paper."""
        if not self._memory:
            return points
        ahead = {}
        for name, point in points.items():
            ball = self._balls[name]
            way = ball.masked(self._memory[name]) * (self._decay * self._sizes[name] / evenly(ball))
            ahead[name] = point + way
        return ahead


def evenly(ball: Ball) -> Tensor:
    """How long a change by 1 of every value that may change is in the ball's norm; broadcasts to the input.

    A vector of mean absolute value 1 divided by it has about the length of the norm's unit direction, and a radius
    divided by it is what each value gets when all share alike.
    """
    if ball.budget.norm == "linf":
        return torch.ones_like(ball.radius)
    return ball.free().sqrt() if ball.budget.norm == "l2" else ball.free()
