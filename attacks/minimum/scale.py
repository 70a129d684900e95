"""How far the nearest way out may be, and what follows for weights and steps: estimates from one gradient."""

import math

import torch
from torch import Tensor

from rgbdsod.attacks.minimum.planes import plane_step
from rgbdsod.attacks.minimum.rounds import Rounds
from rgbdsod.attacks.projections import norm
from rgbdsod.attacks.search import Look
from rgbdsod.attacks.space import Space

_LEAST = 1e-5  # per value, of what a distance is taken to be: at the turning point itself there still is a way to go
_SHARE, _END = 0.3, 0.01  # of the distance in a first step, and of that step in the last


def reach(look: Look, space: Space, confidence: float = 0.0) -> Tensor:
    """How far (B,) a linear model would have its way out, in the space's norm.

    Args:
        look: at the clean vectors.
        space: of the vectors.
        confidence: how far beyond its turning point.
    """
    step = plane_step(space.clean, look.gradient, look.gap + confidence, space.lower, space.upper, space.norm)
    return torch.maximum(space.length(space.clean + step), space.length(space.clean + _LEAST))


def first_weight(look: Look, far: Tensor) -> Tensor:
    """Four times the weight (B,) of the gap at which a linear model's way out costs as much as it saves.

    Args:
        look: at the clean vectors.
        far: how far the way out is.
    """
    slope = norm(look.gradient, 2.0).flatten()
    return 8 * far / slope.clamp_min(torch.finfo(slope.dtype).tiny)


def pace(far: Tensor, best: Tensor, play: Rounds, steps: int, space: Space) -> Tensor:
    """A step per value (B,1) that suits the distance, and that falls along a cosine within a round.

    Args:
        far: the estimated distance, doubled for each round behind as long as nothing fools, (B,).
        best: the distance found, infinite before, which replaces the estimate in further rounds, (B,).
        play: where the samples are.
        steps: of a round.
        space: of the vectors.
    """
    known = torch.isfinite(best) & (play.played > 0)
    scale = torch.where(known, best, far * 2**play.played)
    free = (space.upper > space.lower).sum(1).clamp_min(1)
    falling = _END + (1 - _END) * (1 + torch.cos(math.pi * play.age / steps)) / 2
    return (_SHARE * scale / free.sqrt() * falling).clamp_max(0.1)[:, None]
