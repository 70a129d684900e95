"""Adam for samples that began at different times."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

_FIRST, _SECOND = 0.9, 0.999  # what is kept of the gradient's mean and of its square


class Adam(NamedTuple):
    """What is remembered of the gradients.

    The size is kept as a root: the square of a gradient near 1e-25 is 0 in float32.

    Args:
        mean: (B, D).
        root: the root of the mean square, (B, D).

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, algorithm 1.
    """

    mean: Tensor
    root: Tensor

    @classmethod
    def begin(cls, like: Tensor) -> Self:
        """Nothing remembered of vectors like these."""
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    def after(self, gradient: Tensor, age: Tensor) -> tuple[Self, Tensor]:
        """The memory with a further gradient, and the step (B, D) of about unit size per value that follows from it.

        Args:
            gradient: (B, D).
            age: how many gradients are remembered of each sample, (B,).
        """
        mean = torch.lerp(gradient, self.mean, _FIRST)
        root = torch.hypot(_SECOND**0.5 * self.root, (1 - _SECOND) ** 0.5 * gradient)
        bias = (1 - _SECOND ** (age + 1)).sqrt() / (1 - _FIRST ** (age + 1))
        return type(self)(mean, root), bias[:, None] * mean / root.clamp_min(torch.finfo(root.dtype).tiny)

    def fresh(self, where: Tensor) -> Self:
        """Nothing remembered of some samples, bool (B,)."""
        return type(self)(*(value.masked_fill(where[:, None], 0) for value in self))
