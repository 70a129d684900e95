"""Which pixels a disturbance takes: the highest of a random landscape, as many as the budget allows."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.projections import largest
from rgbdsod.attacks.randomness import Streams


def highest(landscape: Tensor, ball: Ball, pixels: int) -> Tensor:
    """The highest pixels inside the mask, bool (B,1,H,W).

    Args:
        landscape: (B,1,H,W), 0 or more.
        ball: what the map may become.
        pixels: how many; under an L0 budget as many as that allows.
    """
    free = ball.masked(torch.ones_like(ball.clean)).amax(1, keepdim=True) > 0
    count: Tensor | int = pixels
    if ball.budget.norm == "l0":
        count, pixels = ball.radius, int(ball.radius.max())
    return largest(torch.where(free, landscape, -1.0), count, pixels) & free


def hills(like: Tensor, streams: Streams, cells: int) -> Tensor:
    """A smooth random landscape (B,1,H,W) in [0, 1] with about so many hills along each side."""
    corners = streams.uniform(like.new_empty(like.shape[0], 1, cells, cells))
    return interpolate(corners, like.shape[-2:], mode="bilinear", align_corners=False)


def one_each(like: Tensor, streams: Streams) -> Tensor:
    """One random number for each sample, (B,1,1,1) in [0, 1)."""
    return streams.uniform(like.new_empty(like.shape[0], 1, 1, 1))
