"""What penalties on the change and on the gap share: the objective, and weights and steps that suit the distance."""

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
    return (_SHARE * scale / free.sqrt() * falling(play, steps)).clamp_max(0.1)[:, None]


def falling(play: Rounds, steps: int) -> Tensor:
    """From 1 to a hundredth within a round, along half a cosine, (B,)."""
    return _END + (1 - _END) * (1 + torch.cos(math.pi * play.age / steps)) / 2


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
