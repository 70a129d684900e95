"""The nearest change that is no longer than a radius, in each norm."""

import torch
from torch import Tensor

from rgbdsod.attacks.projections import largest, norm
from rgbdsod.attacks.space import Space

_MOST = 40  # Newton steps of the L1 projection; most need fewer than ten


@torch.no_grad()
def inward(space: Space, change: Tensor, radius: Tensor) -> Tensor:
    """The nearest change whose length is at most the radius; the box is not asked.

    Args:
        space: whose norm and positions count.
        change: (B, D).
        radius: (B,); L0: a number of positions.
    """
    limit = radius[:, None]
    if space.norm == "linf":
        return torch.clamp(change, -limit, limit)
    if space.norm == "l2":
        size = norm(change, 2)
        return change * (limit / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp_max(1)
    if space.norm == "l1":
        return _shrunk(change, limit)
    score = space.positions(change.square())
    return change * space.spread(largest(score, limit, score.shape[1]))


def _shrunk(change: Tensor, limit: Tensor) -> Tensor:
    """Soft thresholding by the t at which the sum of `max(|v| - t, 0)` is the limit.

    The sum falls with t in straight pieces that get flatter, so Newton's method from 0 never goes too far.
    """
    size, threshold = change.abs(), torch.zeros_like(limit)
    for _ in range(_MOST):
        left = (size - threshold).clamp_min(0)
        excess = left.sum(1, keepdim=True) - limit
        further = excess.clamp_min(0) / (left > 0).sum(1, keepdim=True).clamp_min(1)
        if further.is_cpu and not bool((further > 1e-9 * threshold).any()):
            break
        threshold = threshold + further
    return change.sign() * (size - threshold).clamp_min(0)
