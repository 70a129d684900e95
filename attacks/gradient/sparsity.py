"""How many values share an L1 step of APGD, and how long it is."""

import torch
from torch import Tensor

from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.projections import dims, largest

_AT_FIRST = 0.2  # of the values share a step
_EVERY = 0.04  # of the steps pass between two looks at the best point
_SPREAD = 1.5  # a step moves the best point's changed values over this, and steps shorten by it
_SHORTEST = 0.1  # of the first step


class Sparsity:
    """Steps that grow as sparse as the best point of the run.

    Args:
        ball: of the input, with an L1 budget.
        size: the longest step.
        steps: how many there will be.

    Source: Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks", arXiv 2103.01208, algorithm 1.
    """

    def __init__(self, ball: Ball, size: Tensor, steps: int) -> None:
        self._ball, self._every = ball, max(int(_EVERY * steps), 1)
        self._longest = size.expand_as(ball.free())
        self._size = self._longest
        self._changed = ball.free()
        self._count = _AT_FIRST * self._changed
        self._most = self._most_moving()

    def due(self, step: int) -> bool:
        """Whether it is time to look at the best point."""
        return step > 0 and step % self._every == 0

    def check(self, best: Tensor) -> Tensor:
        """Follow the best point; returns which samples begin anew from it, with the longest steps, bool (B,)."""
        changed = (best != self._ball.clean).sum(dims(best), keepdim=True).to(best)
        anew = changed < 0.95 * self._changed
        shorter = torch.maximum(self._size / _SPREAD, _SHORTEST * self._longest)
        self._size = torch.where(anew, self._longest, shorter)
        self._changed, self._count = changed, changed / _SPREAD
        self._most = self._most_moving()
        return anew.flatten()

    def way(self, point: Tensor, gradient: Tensor) -> Tensor:
        """A step: signs of the largest gradients among the values that can still move inside the box."""
        movable = torch.where(gradient > 0, point < 1, point > 0)
        score = self._ball.masked(gradient.abs() * movable)
        moving = largest(score, self._count.clamp_min(1).floor(), self._most) & (score > 0)
        number = moving.sum(dims(score), keepdim=True).clamp_min(1)
        return gradient.sign() * moving * (self._size / number)

    def select(self, index: Tensor, ball: Ball) -> None:
        """Go on with some of the samples."""
        self._ball = ball
        self._longest, self._size = self._longest[index], self._size[index]
        self._changed, self._count = self._changed[index], self._count[index]

    def _most_moving(self) -> int:
        """No fewer than the largest count; a device is not asked, since the loop would wait for its answer."""
        bound = self._count.max() if self._count.is_cpu else self._ball.clean[0].numel() / _SPREAD
        return max(int(bound), 1)
