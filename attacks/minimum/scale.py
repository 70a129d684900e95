"""What penalties on the change and on the gap share: the objective, and weights and steps that suit the distance."""

import math

import torch
from torch import Tensor

from rgbdsod.attacks.minimum.nearest import nearest_exit
from rgbdsod.attacks.minimum.planes import plane_step
from rgbdsod.attacks.projections import norm
from rgbdsod.attacks.search import Look, Search
from rgbdsod.attacks.space import Space

_LEAST = 1e-5  # per value, of what a distance is taken to be: at the turning point itself there still is a way to go
_SHARE, _LONGEST = 0.3, 0.1  # of the distance in a first step of Adam; and the most per value
_EXITS = 10  # tried at most
_END = 0.01  # of the first step in the last


def way_out(search: Search, confidence: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Where a linear model has the nearest of all ways out: the gap (B,), the point (B, D), its distance (B,).

    Beginning there rather than at the clean vectors decides which way out is taken: the gap's own slope leads to the
    one that is the least closed, which need not be near.

    Args:
        search: what looks.
        confidence: how far beyond its turning point.
    """
    space = search.space
    look, value, slope, _ = nearest_exit(search, space.clean, _EXITS)
    kind = "l1" if space.norm == "l0" else space.norm
    step = plane_step(space.clean, slope, value + confidence, space.lower, space.upper, kind)
    point = space.clip(space.clean + step)
    return look.gap, point, torch.maximum(space.length(point), space.length(space.clean + _LEAST))


def first_weight(look: Look, far: Tensor) -> Tensor:
    """Four times the weight (B,) of the gap at which a linear model's way out costs as much as it saves.

    Args:
        look: at the clean vectors.
        far: how far the way out is.
    """
    slope = norm(look.gradient, 2.0).flatten()
    return 8 * far / slope.clamp_min(torch.finfo(slope.dtype).tiny)


def pace(far: Tensor, space: Space, falling: Tensor | float) -> Tensor:
    """A step per value (B,1) that suits the distance.

    Args:
        far: the distance, (B,).
        space: of the vectors.
        falling: how much of the first step is left.
    """
    free = (space.upper > space.lower).sum(1).clamp_min(1)
    return (_SHARE * far / free.sqrt() * falling).clamp_max(_LONGEST)[:, None]


def fallen(done: Tensor) -> Tensor:
    """From 1 to a hundredth along half a cosine, as the share that is done grows from 0 to 1."""
    return _END + (1 - _END) * (1 + torch.cos(math.pi * done)) / 2


def penalised(look: Look, change: Tensor, weight: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """The squared change plus the weighted gap (B,), and the gradient (B, D); the gap is flat where it fools.

    Args:
        look: at the changed vectors.
        change: (B, D).
        weight: of the gap, (B,).
        confidence: how far beyond its turning point the gap still counts.
    """
    objective = change.square().sum(1) + weight * look.gap.clamp_min(-confidence)
    return objective, 2 * change + (weight * ~look.fooled)[:, None] * look.gradient
