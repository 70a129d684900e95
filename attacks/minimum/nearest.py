"""The nearest of several ways out, with as few backward passes as tell which it is."""

import torch
from torch import Tensor
from torch.linalg import vector_norm

from rgbdsod.attacks.search import Look, Search

DUAL = {"linf": 1.0, "l2": 2.0, "l1": torch.inf, "l0": torch.inf}
"""The norm in which a gradient is measured, by the norm of the change; L0 as the convex norm next to it, L1."""

PAST = 1e-5
"""How far behind a plane to aim, in the change's norm: on it nothing is decided."""

_STEEPER = 2.0  # no way out is taken to be more than this times as steep as the steepest seen


def nearest_exit(
    search: Search, vectors: Tensor, most: int, which: Tensor | None = None, *, standing: bool = False
) -> tuple[Look, Tensor, Tensor, Tensor]:
    """One forward pass, and a backward pass for each way out that could be the nearest.

    To first order, one of value f and gradient w is `|f| / |w|` away, measured in the dual norm. They are tried by
    growing `|f|`, until not even a gradient twice as steep as those seen could bring the next before the nearest found.

    Args:
        search: what looks.
        vectors: where, (B, D).
        most: how many ways out to try at most.
        which: the one of each sample that counts, by index (B,); None: the nearest.
        standing: ask only for samples that are not fooled.

    Returns:
        The look; and of the nearest way out its value (B,), its gradient (B, D) and how steep that is (B,).
    """
    look, ways = search.ways(vectors)
    size = ways.values.abs()
    order = size.topk(min(most, size.shape[1]), largest=False).indices if which is None else which[:, None]
    limit = torch.full_like(look.gap, torch.inf)  # a larger |f| is too far away
    near, value, slope = limit, look.gap, torch.zeros_like(vectors)
    steepness = steepest = torch.zeros_like(limit)
    asked = ~look.fooled if standing else torch.ones_like(look.fooled)
    for at in range(order.shape[1]):
        hopeful = asked & (size.gather(1, order[:, at : at + 1])[:, 0] < limit)
        if (at or standing) and not bool(hopeful.any()):  # the question costs a device less than the pass
            break
        tried = ways.slope(order[:, at], last=at + 1 == order.shape[1])
        steep = vector_norm(tried, DUAL[search.space.norm], dim=1)
        closed = ways.values.gather(1, order[:, at : at + 1])[:, 0]
        away = torch.where(hopeful & (steep > 0), closed.abs() / steep, torch.inf)
        nearer = away < near
        near, value = torch.where(nearer, away, near), torch.where(nearer, closed, value)
        slope, steepness = torch.where(nearer[:, None], tried, slope), torch.where(nearer, steep, steepness)
        steepest = torch.maximum(steepest, steep)
        limit = torch.where(torch.isfinite(near), _STEEPER * steepest * near, torch.inf)
    return look, value, slope, steepness


def way_past(value: Tensor, steep: Tensor) -> Tensor:
    """How far it is to just behind a plane, (B,); 0 where it has no slope."""
    return torch.where(steep > 0, value.abs() / steep * (1 + 1e-4) + PAST, 0.0)
