"""Noise on a grid coarser than the image, so that few coordinates say much: ZOO's attack space."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate

_CELLS = 8  # along each side, in which importance is measured
_FLOOR = 0.1  # share of the draws that goes to all coordinates alike


@dataclass(frozen=True, eq=False)
class _Part:
    """One input's grid.

    Args:
        channels: of the input.
        rows: what each row of the grid gives to each row of the image, (H, h).
        columns: the same across, (W, w).
    """

    channels: int
    rows: Tensor
    columns: Tensor

    @property
    def size(self) -> tuple[int, int, int]:
        """Of the grid: channels, height, width."""
        return self.channels, self.rows.shape[1], self.columns.shape[1]

    @property
    def count(self) -> int:
        """How many coordinates."""
        return math.prod(self.size)

    @property
    def full(self) -> tuple[int, int, int]:
        """Of the image: channels, height, width."""
        return self.channels, len(self.rows), len(self.columns)


class Grid:
    """The coordinates of all attacked inputs, side by side; bilinear in between.

    Args:
        shapes: of the inputs, (C,H,W) each.
        side: of the grid, for the longer side of an input; None: as fine as the inputs.
        like: gives type and device.
    """

    def __init__(self, shapes: Sequence[tuple[int, int, int]], side: int | None, like: Tensor) -> None:
        self._parts = [_part(shape, side, like) for shape in shapes]
        self.counts = [part.count for part in self._parts]
        self._pixels = [math.prod(part.full) for part in self._parts]

    @property
    def count(self) -> int:
        """How many coordinates in all."""
        return sum(self.counts)

    def spread(self, noise: Tensor) -> Tensor:
        """Noise (B, n) on the grid as a change of the inputs, (B, D)."""
        found = [
            (part.rows @ _shaped(own, part.size) @ part.columns.T).flatten(1)
            for part, own in zip(self._parts, torch.split(noise, self.counts, 1), strict=True)
        ]
        return torch.cat(found, 1)

    def fold(self, change: Tensor) -> Tensor:
        """The transpose of `spread`: what a gradient (B, D) by value is by coordinate, (B, n)."""
        found = [
            (part.rows.T @ _shaped(own, part.full) @ part.columns).flatten(1)
            for part, own in zip(self._parts, torch.split(change, self._pixels, 1), strict=True)
        ]
        return torch.cat(found, 1)

    def each(self, index: Tensor) -> Tensor:
        """What single coordinates do to the inputs, (B, m, D).

        Args:
            index: of the coordinates, (B, m).
        """
        found, first = [], 0
        for part in self._parts:
            channels, height, width = part.size
            place = index - first
            own = ((place >= 0) & (place < part.count)).to(part.rows)
            place = place.clamp(0, part.count - 1)
            down = part.rows.T[place // width % height]
            across = part.columns.T[place % width]
            channel = torch.nn.functional.one_hot(place // (height * width), channels) * own[..., None]
            found.append(torch.einsum("bmc,bmh,bmw->bmchw", channel, down, across).flatten(2))
            first += part.count
        return torch.cat(found, 2)

    def widest(self, room: Tensor) -> Tensor:
        """The most that any value near a coordinate may move, (B, n).

        Args:
            room: of each value, 0 or more, (B, D).
        """
        found = [
            adaptive_max_pool2d(_shaped(own, part.full), part.size[1:])
            for part, own in zip(self._parts, torch.split(room, self._pixels, 1), strict=True)
        ]
        return torch.cat([value.flatten(1) for value in found], 1)

    def importance(self, noise: Tensor) -> Tensor:
        """How often each coordinate is to be drawn, (B, n): by the largest noise in its cell, with a uniform share."""
        found = []
        for part, own in zip(self._parts, torch.split(noise, self.counts, 1), strict=True):
            maps = _shaped(own.abs(), part.size)
            cells = (min(_CELLS, part.size[1]), min(_CELLS, part.size[2]))
            weight = interpolate(adaptive_max_pool2d(maps, cells), part.size[1:]).flatten(1)
            total = weight.sum(1, keepdim=True)
            by_noise = torch.where(total > 0, weight / total.clamp_min(1e-30), 1 / part.count)
            found.append((1 - _FLOOR) * by_noise + _FLOOR / part.count)
        return torch.cat(found, 1)

    def draw(self, weights: Tensor, numbers: Tensor, counts: Sequence[int]) -> Tensor:
        """Different coordinates of each input, drawn by their weights, (B, m).

        Args:
            weights: 0 or more, (B, n); coordinates of weight 0 come last.
            numbers: uniform in [0, 1), (B, n).
            counts: how many of each input.
        """
        tiny = torch.finfo(weights.dtype).tiny
        score = weights.log() - (-numbers.clamp_min(tiny).log()).clamp_min(tiny).log()  # the largest are such a draw
        found, first = [], 0
        for own, count in zip(torch.split(score, self.counts, 1), counts, strict=True):
            found.append(own.topk(min(count, own.shape[1]), 1).indices + first)
            first += own.shape[1]
        return torch.cat(found, 1)

    def from_coarser(self, noise: Tensor, other: "Grid") -> Tensor:
        """Another grid's noise (B, n') on this one."""
        found = [
            interpolate(_shaped(own, old.size), new.size[1:], mode="bilinear", align_corners=False).flatten(1)
            for old, new, own in zip(other._parts, self._parts, torch.split(noise, other.counts, 1), strict=True)
        ]
        return torch.cat(found, 1)


def _part(shape: tuple[int, int, int], side: int | None, like: Tensor) -> _Part:
    channels, height, width = shape
    share = 1.0 if side is None else min(1.0, side / max(height, width))
    rows, columns = (_weights(max(1, round(share * length)), length, like) for length in (height, width))
    return _Part(channels, rows, columns)


def _weights(few: int, many: int, like: Tensor) -> Tensor:
    """What each of few points gives to each of many between them, (many, few)."""
    each = torch.eye(few, dtype=like.dtype, device=like.device)[None]
    return interpolate(each, many, mode="linear", align_corners=False)[0].T


def _shaped(flat: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Rows of values as images."""
    return flat.view(len(flat), *size)
