"""Square's changes within Linf: a window in which each channel goes to one end of its range."""

import math

import torch
from torch import Tensor

from rgbdsod.attacks.norms import Linf
from rgbdsod.attacks.randomness import Streams

_CODES = 20  # channels that a repeated draw tells apart


def side_of(share: float, height: int, width: int) -> int:
    """The side of a square window that covers a share of the image."""
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


def offset(numbers: Tensor, side: int, length: int) -> Tensor:
    """Where windows begin, int64 (B,): any place where they fit, the last one included.

    Args:
        numbers: uniform in [0, 1), (B,).
        side: of the window.
        length: of the image along this axis.
    """
    return (numbers * (length - side + 1)).long().clamp_max(length - side)


def stripes(ball: Linf, streams: Streams) -> Tensor:
    """The start: each column of each channel at one end of its range."""
    columns = streams.uniform(ball.clean[:, :, :1])
    return _ends(ball, columns < 0.5)


def change(ball: Linf, point: Tensor, share: float, places: Tensor, numbers: Tensor) -> Tensor:
    """A window at a random place, in which each channel goes to one random end of its range.

    Args:
        ball: what the input may become.
        point: where it is, (B,C,H,W).
        share: of the image in the window.
        places: uniform numbers for the window, (B, 2 or more).
        numbers: uniform numbers for the signs, (B, C+1).

    Source: Andriushchenko et al., "Square Attack", arXiv 1912.00049, algorithm 2.
    """
    channels, height, width = point.shape[1:]
    side = side_of(share, height, width)
    inside = _between(places[:, 0], side, height)[:, :, None] & _between(places[:, 1], side, width)[:, None, :]
    high = numbers[:, :channels] < 0.5
    painted = torch.where(inside[:, None], _ends(ball, high[:, :, None, None]), point)
    # a draw that changes nothing would waste the query: another one, any but this
    same = (painted == point).flatten(1).all(1)
    if point.is_cpu and not bool(same.any()):
        return painted
    code = 1 + (numbers[:, channels] * (2 ** min(channels, _CODES) - 1)).long()
    other = (code[:, None] >> torch.arange(channels, device=point.device)) & 1 > 0
    high = torch.where(same[:, None], high ^ other, high)
    return torch.where(inside[:, None], _ends(ball, high[:, :, None, None]), point)


def _ends(ball: Linf, high: Tensor) -> Tensor:
    """The upper end of each value's range, or the lower one."""
    return torch.where(high, ball.upper, ball.lower)


def _between(numbers: Tensor, side: int, length: int) -> Tensor:
    """Which rows (or columns) a window covers, bool (B, length)."""
    begin = offset(numbers, side, length)[:, None]
    places = torch.arange(length, device=numbers.device)
    return (places >= begin) & (places < begin + side)
