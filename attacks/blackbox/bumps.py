"""Square's changes within L2: the mass of one window moves into a bump in another."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from rgbdsod.attacks.blackbox.squares import offset, side_of
from rgbdsod.attacks.norms import Ball, unit
from rgbdsod.attacks.randomness import Streams

_TILES = 5  # along the shorter side, at the start


def bump(side: int, like: Tensor) -> Tensor:
    """Two halves of opposite sign, each highest in its middle and falling in concentric rectangles; of length 1.

    Args:
        side: of the square.
        like: gives type and device.

    Source: Andriushchenko et al., arXiv 1912.00049, the bumps of algorithm 3.
    """
    upper = _peak(side // 2, side, like)
    lower = _peak(side - side // 2, side, like)
    both = torch.cat([upper, -lower])
    return _unit(both.flatten()[None, None]).view_as(both)


def tiles(ball: Ball, streams: Streams) -> Tensor:
    """The start: bumps of random sign and direction side by side, on the sphere."""
    height, width = ball.clean.shape[-2:]
    side = max(1, min(height, width) // _TILES)
    down, across = height // side, width // side
    corner = ball.clean[:, :, :down, :across]
    sign, turned = (streams.uniform(corner) < 0.5 for _ in range(2))
    shape = bump(side, ball.clean)
    each = torch.where(turned[..., None, None], shape.T, shape) * torch.where(sign, 1, -1)[..., None, None]
    joined = each.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    top, left = (height - down * side) // 2, (width - across * side) // 2
    room = (left, width - across * side - left, top, height - down * side - top)
    return _onto_sphere(ball, pad(joined, room))


def change(ball: Ball, point: Tensor, share: float, places: Tensor, numbers: Tensor) -> Tensor:
    """The second window is emptied; its mass, and what the box had cut off, goes into a bump in the first.

    Args:
        ball: what the input may become.
        point: where it is, (B,C,H,W).
        share: of the image in each window.
        places: uniform numbers for the two windows, (B,4).
        numbers: uniform numbers for the signs and the bump's direction, (B, C+1).

    Source: Andriushchenko et al., "Square Attack", arXiv 1912.00049, algorithm 3.
    """
    channels, height, width = point.shape[1:]
    side = min(max(side_of(share, height, width) // 2 * 2 + 1, 3), height, width)
    delta = (point - ball.clean).flatten(2)
    first, second = (_cells(places[:, at : at + 2], side, height, width) for at in (0, 2))
    both = torch.zeros_like(delta[:, 0], dtype=torch.bool).scatter_(1, torch.cat([first, second], 1), True)
    mass = (delta.square() * both[:, None]).sum(2, keepdim=True)
    slack = (ball.radius.reshape(-1, 1, 1) ** 2 - delta.square().sum((1, 2), keepdim=True)).clamp_min(0) / channels
    where = first[:, None].expand(-1, channels, -1)
    fresh = _unit(delta.gather(2, where)) + _random_bump(side, numbers, delta)
    delta = delta.scatter(2, second[:, None].expand(-1, channels, -1), 0.0)
    delta = delta.scatter(2, where, _unit(fresh) * (mass + slack).sqrt())
    return _onto_sphere(ball, delta.view_as(point))


def _random_bump(side: int, numbers: Tensor, like: Tensor) -> Tensor:
    """One bump for each sample, upright or turned, with a sign for each channel, (B, C, side * side)."""
    shape = bump(side, like)
    turned = torch.where(numbers[:, -1, None] < 0.5, shape.T.flatten(), shape.flatten())
    return turned[:, None] * torch.where(numbers[:, :-1, None] < 0.5, 1, -1)


def _peak(height: int, width: int, like: Tensor) -> Tensor:
    """A positive half, of length 1: a cell at distance d from the middle holds the sum of 1/(k+1)^2 over k >= d."""
    rings = max(height, width) // 2 + 1
    heights = torch.arange(rings, 0, -1, dtype=like.dtype, device=like.device).pow(-2).cumsum(0).flip(0)
    rows, columns = ((torch.arange(length, device=like.device) - length // 2).abs() for length in (height, width))
    peak = heights[torch.maximum(rows[:, None], columns[None, :])]
    return _unit(peak.flatten()[None, None]).view_as(peak)


def _cells(places: Tensor, side: int, height: int, width: int) -> Tensor:
    """The places of a window's cells in the flat image, int64 (B, side * side)."""
    steps = torch.arange(side, device=places.device)
    rows = offset(places[:, 0], side, height)[:, None] + steps
    columns = offset(places[:, 1], side, width)[:, None] + steps
    return (rows[:, :, None] * width + columns[:, None, :]).flatten(1)


def _unit(cells: Tensor) -> Tensor:
    """Each channel's cells at length 1, and 0 where they are 0."""
    size: Tensor = torch.linalg.vector_norm(cells, dim=2, keepdim=True)
    return cells / size.clamp_min(torch.finfo(cells.dtype).tiny)


def _onto_sphere(ball: Ball, delta: Tensor) -> Tensor:
    """The point at the radius along a change, cut by the box."""
    return ball.project(torch.addcmul(ball.clean, unit(ball.masked(delta), 2), ball.radius))
