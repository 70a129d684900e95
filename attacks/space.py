"""All attacked inputs of a sample as one vector, so that a minimum-norm attack need not know how many there are."""

import copy
import math
from collections.abc import Mapping
from functools import reduce
from typing import Self

import torch
from torch import Tensor

from rgbdsod.attacks.norms import Ball, length
from rgbdsod.attacks.projections import norm
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_ORDERS = {"linf": math.inf, "l2": 2.0, "l1": 1.0}


class Space:
    """The vectors (B, D) of some balls.

    With several attacked inputs of finite radii, a coordinate is measured in its own radius, relative to the largest:
    a change of depth by 8 counts like one of RGB by 2 where the budgets say 8 and 2. The box [0, 1] and the masks
    become two bounds for each coordinate.

    Args:
        balls: by attacked input, all of one norm.

    Attributes:
        clean: the clean inputs, (B, D).
        lower: the least that each coordinate may be, (B, D).
        upper: the most.
        norm: "linf", "l2", "l1" or "l0".

    Raises:
        UsageError: the inputs are measured in different norms.
    """

    def __init__(self, balls: Mapping[str, Ball]) -> None:
        norms = {ball.budget.norm for ball in balls.values()}
        if len(norms) > 1:
            raise UsageError(
                f"the smallest change of all inputs needs one norm for them, not {', '.join(sorted(norms))}"
            )
        self.norm = norms.pop() if norms else "linf"
        self._balls = dict(balls)
        self._shapes = {name: ball.clean.shape[1:] for name, ball in balls.items()}
        self._scales = _scales(balls) if self.norm != "l0" else {}
        self.clean = self.join({name: ball.clean for name, ball in balls.items()})
        self.lower = self.join({name: _bound(ball, 0.0) for name, ball in balls.items()})
        self.upper = self.join({name: _bound(ball, 1.0) for name, ball in balls.items()})

    @property
    def reach(self) -> Tensor:
        """How far vectors may be from the clean ones, (B,): the largest radius, or where it is infinite the box."""
        return torch.minimum(_largest(self._balls).to(self.clean), self.length(self.clean + self.upper - self.lower))

    def join(self, points: Inputs) -> Tensor:
        """Values of all inputs as vectors (B, D)."""
        parts = [self._scaled(name, value, -1).flatten(1) for name, value in points.items()]
        return _together(parts)

    def split(self, vectors: Tensor) -> dict[str, Tensor]:
        """Vectors (..., D) as values of the inputs (..., C, H, W)."""
        sizes = [shape.numel() for shape in self._shapes.values()]
        parts = torch.split(vectors, sizes, -1) if len(sizes) > 1 else (vectors,)
        return {
            name: self._scaled(name, part.reshape(*part.shape[:-1], *shape), 1)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }

    def settle(self, vectors: Tensor) -> dict[str, Tensor]:
        """The same for a result: what did not move is bit-equal to the clean input, in spite of the scales."""
        changed = vectors.ne(self.clean)
        if not self._shapes:
            return {}
        places = torch.split(changed, [shape.numel() for shape in self._shapes.values()], 1)
        return {
            name: torch.where(place.view_as(value), value.clamp(0, 1), self._balls[name].clean)
            for (name, value), place in zip(self.split(vectors).items(), places, strict=True)
        }

    def pull(self, gradients: Inputs) -> Tensor:
        """Gradients by input as gradients (B, D) by coordinate; 0 where a mask forbids a change."""
        parts = [self._scaled(name, self._balls[name].masked(gradients[name]), 1).flatten(1) for name in self._shapes]
        return _together(parts)

    def clip(self, vectors: Tensor) -> Tensor:
        """The nearest values in the box, clean where a mask forbids a change."""
        return torch.clamp(vectors, self.lower, self.upper)

    def length(self, vectors: Tensor) -> Tensor:
        """How far (B,) vectors are from the clean ones, in the budgets' norm."""
        change = vectors - self.clean
        if self.norm == "l0":
            counts = [length(part, self._balls[name].budget) for name, part in self.split(change).items()]
            return torch.stack(counts).sum(0)
        return norm(change, _ORDERS[self.norm]).flatten()

    def positions(self, score: Tensor) -> Tensor:
        """Scores (B, D) of coordinates as scores (B, P) of the positions that L0 counts, summed over their channels."""
        parts = [
            (part.sum(1) if self._balls[name].budget.unit == "pixel" else part).flatten(1)
            for name, part in self.split(score).items()
        ]
        return _together(parts)

    def spread(self, positions: Tensor) -> Tensor:
        """What holds for positions (B, P) for each of their coordinates, (B, D)."""
        parts, start = [], 0
        for name, shape in self._shapes.items():
            pixels = self._balls[name].budget.unit == "pixel"
            count = shape[1:].numel() if pixels else shape.numel()
            part = positions[:, start : start + count]
            parts.append(part.repeat(1, shape[0]) if pixels else part)
            start += count
        return _together(parts)

    def within(self, vectors: Tensor) -> Tensor:
        """Whether every input's own change is inside its radius, bool (B,)."""
        inside = torch.ones(len(vectors), dtype=torch.bool, device=vectors.device)
        for name, value in self.split(vectors).items():
            ball = self._balls[name]
            if self.norm == "linf":
                inside &= ((value - ball.clean).abs() <= ball.radius + 1e-7).flatten(1).all(1)
            else:
                inside &= length(value - ball.clean, ball.budget) <= ball.radius.flatten() * (1 + 1e-6)
        return inside

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> Self:
        """The vectors of some samples, whose balls these are."""
        other = copy.copy(self)
        other._balls = dict(balls)
        other._scales = {name: scale[index] if len(scale) > 1 else scale for name, scale in self._scales.items()}
        other.clean, other.lower, other.upper = self.clean[index], self.lower[index], self.upper[index]
        return other

    def _scaled(self, name: str, value: Tensor, power: int) -> Tensor:
        """An input's values times a power of its scale, (B, ...) or (B, n, ...)."""
        if name not in self._scales:
            return value
        scale = self._scales[name].reshape(-1, *[1] * (value.ndim - 1))
        return value * scale if power > 0 else value / scale


def _together(parts: list[Tensor]) -> Tensor:
    """Vectors side by side; without any, those of no samples."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts, 1) if parts else torch.empty(0, 1)


def _scales(balls: Mapping[str, Ball]) -> dict[str, Tensor]:
    """Each input's radius relative to the largest, per sample (B,) or for all (1,); none where all are equal."""
    radii, largest = _radii(balls), _largest(balls)
    if not bool(torch.isfinite(largest).all()) or all(torch.equal(radius, largest) for radius in radii.values()):
        return {}
    return {name: (radius / largest).clamp_min(torch.finfo(radius.dtype).eps) for name, radius in radii.items()}


def _bound(ball: Ball, edge: float) -> Tensor:
    """The end of the box at each value that may change, the clean value elsewhere."""
    value = torch.full_like(ball.clean, edge)
    return value if ball.mask is None else torch.where(ball.mask.expand_as(value) > 0, value, ball.clean)


def _radii(balls: Mapping[str, Ball]) -> dict[str, Tensor]:
    """Each input's radius, the largest where it has one for each pixel; per sample (B,) or for all (1,)."""
    return {
        name: ball.radius.flatten(1).amax(1) if ball.radius.ndim else ball.radius[None] for name, ball in balls.items()
    }


def _largest(balls: Mapping[str, Ball]) -> Tensor:
    """The largest radius of all inputs, per sample (B,) or for all (1,)."""
    radii = _radii(balls)
    return reduce(torch.maximum, radii.values()) if radii else torch.zeros(1)
