"""What projected L-BFGS remembers of each sample's last steps."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

_HISTORY = 10
_FLAT = 1e-8  # a step along which the slope hardly grows says nothing


class Curvature(NamedTuple):
    """The last steps and how the slope changed along them, the newest first.

    Args:
        steps: (B, M, D).
        changes: of the slope, (B, M, D).
        inverse: one over their products, 0 where there is no step yet, (B, M).

    Source: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980.
    """

    steps: Tensor
    changes: Tensor
    inverse: Tensor

    @classmethod
    def begin(cls, like: Tensor) -> Self:
        """Nothing remembered of vectors (B, D) like these."""
        none = like.new_zeros(len(like), _HISTORY, like.shape[1])
        return cls(none, none, like.new_zeros(len(like), _HISTORY))

    def after(self, step: Tensor, change: Tensor, made: Tensor) -> Self:
        """The memory with a further step (B, D) of the samples that made it, bool (B,)."""
        product = (step * change).sum(1)
        telling = made & (product > _FLAT * step.norm(dim=1) * change.norm(dim=1))
        inverse = 1 / torch.where(telling, product, 1.0)
        fresh = (step, change, inverse)
        moved = (torch.cat([new[:, None], old[:, :-1]], 1) for new, old in zip(fresh, self, strict=True))
        wide = telling.view(-1, 1, 1)
        return type(self)(
            *(
                torch.where(wide if old.ndim > 2 else wide[..., 0], new, old)
                for new, old in zip(moved, self, strict=True)
            )
        )

    def way(self, slope: Tensor, first: Tensor) -> Tensor:
        """The quasi-Newton step (B, D) down a slope (B, D), by the two-loop recursion.

        Args:
            slope: at the point that the last step led to.
            first: the step per unit of slope where nothing is remembered, (B,).
        """
        left, shares = slope, []
        for at in range(_HISTORY):
            share = self.inverse[:, at] * (self.steps[:, at] * left).sum(1)
            left = left - share[:, None] * self.changes[:, at]
            shares.append(share)
        square = self.changes[:, 0].square().sum(1)
        known = self.inverse[:, 0] > 0
        scale = torch.where(known, 1 / (self.inverse[:, 0] * square).masked_fill(~known, 1.0), first)
        way = scale[:, None] * left
        for at in reversed(range(_HISTORY)):
            back = self.inverse[:, at] * (self.changes[:, at] * way).sum(1)
            way = way + (shares[at] - back)[:, None] * self.steps[:, at]
        return -way

    def fresh(self, where: Tensor) -> Self:
        """Nothing remembered of some samples, bool (B,)."""
        return type(self)(*(value.masked_fill(where.view(-1, *[1] * (value.ndim - 1)), 0) for value in self))
