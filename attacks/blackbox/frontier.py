"""The line between fooled and not, found by bisection towards the clean input: algorithm 1 of HopSkipJump."""

import math

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.decisions import decide
from rgbdsod.attacks.search import Search


def bisections(search: Search) -> int:
    """Halvings after which the place on the line is as exact as the paper asks, or as the numbers allow.

    Source: Chen et al., "HopSkipJumpAttack", arXiv 1904.02144, its choice of hyperparameters.
    """
    size = search.space.clean.shape[1]
    wanted = math.ceil((2.0 if search.space.norm == "linf" else 1.5) * math.log2(max(size, 2)))
    return min(wanted, 23 if search.space.clean.dtype == torch.float32 else 50)


def to_frontier(search: Search, points: Tensor) -> Tensor:
    """Points that fool and hardly do, (B, D), on the way from points that fool to the clean input.

    L2: on the straight line. Linf: where the change is cut at ever smaller radii.

    Args:
        search: at work.
        points: that fool, (B, D).
    """
    change = points - search.space.clean
    low, high = torch.zeros_like(change[:, :1]), torch.ones_like(change[:, :1])
    for _ in range(bisections(search)):
        middle = (low + high) / 2
        fooled = decide(search, _at(search, change, middle))[:, None]
        low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)
    return torch.where(high < 1, _at(search, change, high), points)


def _at(search: Search, change: Tensor, share: Tensor) -> Tensor:
    """The clean vectors with a share of the change."""
    if search.space.norm == "linf":
        most = share * change.abs().amax(1, keepdim=True)
        return search.space.clip(search.space.clean + torch.clamp(change, -most, most))
    return search.space.clip(search.space.clean + share * change)
