"""Steps of single coordinates: each has its own moments and its own count of steps."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

_FIRST, _SECOND = 0.9, 0.999  # what is kept of a coordinate's mean slope and of its square


class Moments(NamedTuple):
    """What each coordinate of each sample remembers.

    Args:
        mean: of its slopes, (B, n).
        square: of their squares, (B, n).
        steps: how many it made, (B, n).
    """

    mean: Tensor
    square: Tensor
    steps: Tensor

    @classmethod
    def begin(cls, like: Tensor) -> Self:
        """Nothing yet."""
        return cls(*(torch.zeros_like(like) for _ in range(3)))

    def after(self, index: Tensor, slope: Tensor) -> tuple[Self, Tensor]:
        """What follows slopes at some coordinates.

        Args:
            index: of the coordinates, (B, m).
            slope: there, (B, m).

        Returns:
            The state, and Adam's steps at these coordinates for a step size of 1, to be gone down.

        Source: Chen et al., "ZOO", arXiv 1708.03999, algorithm 2.
        """
        mean, square, steps = (value.gather(1, index) for value in self)
        mean = _FIRST * mean + (1 - _FIRST) * slope
        square = _SECOND * square + (1 - _SECOND) * slope**2
        steps = steps + 1
        bias = (1 - _SECOND**steps).sqrt() / (1 - _FIRST**steps)
        fresh = type(self)(*(old.scatter(1, index, new) for old, new in zip(self, (mean, square, steps), strict=True)))
        return fresh, bias * mean / (square.sqrt() + 1e-8)

    def fresh(self, anew: Tensor) -> Self:
        """Forget the samples that begin anew, bool (B,)."""
        return type(self)(*(torch.where(anew[:, None], 0.0, value) for value in self))


def newton(slope: Tensor, bend: Tensor) -> Tensor:
    """Newton's steps for a step size of 1, to be gone down; the slope itself where the curve bends the wrong way.

    Args:
        slope: first derivatives, (B, m).
        bend: second derivatives, (B, m).

    Source: Chen et al., "ZOO", arXiv 1708.03999, algorithm 3.
    """
    return torch.where(bend > 0, slope / torch.where(bend > 0, bend, 1.0), slope)
