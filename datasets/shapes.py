"""Outlines of generated things: ellipses, polygons, stars, blobs, and bodies of several parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.sample import Picture

Points = NDArray[np.float64]

_CORNERS = 48
_FRACTION_BITS = 4  # OpenCV draws polygons at 1/16 pixel


@dataclass(frozen=True)
class Shape:
    """Polygons whose union has (about) area 1 and is centred on the origin.

    Attributes:
        parts: (N,2) x, y of each polygon.
        radius: of the circle around all of them.
    """

    parts: tuple[Points, ...]
    radius: float


def _polar(radius: NDArray[np.float64], angles: NDArray[np.float64]) -> Points:
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _angles(count: int = _CORNERS) -> NDArray[np.float64]:
    return np.linspace(0, 2 * np.pi, count, endpoint=False, dtype=np.float64)


def _ellipse(rng: np.random.Generator) -> list[Points]:
    return [_polar(np.ones(_CORNERS), _angles()) * np.array([1, rng.uniform(0.5, 1)])]


def _polygon(rng: np.random.Generator) -> list[Points]:
    corners = int(rng.integers(3, 7))
    jitter = rng.uniform(-0.6, 0.6, corners) / corners
    return [_polar(rng.uniform(0.8, 1.1, corners), _angles(corners) + jitter)]


def _star(rng: np.random.Generator) -> list[Points]:
    spikes = int(rng.integers(4, 8))
    radius = np.ones(2 * spikes)
    radius[1::2] = rng.uniform(0.45, 0.65)
    return [_polar(radius, _angles(2 * spikes))]


def _blob(rng: np.random.Generator) -> list[Points]:
    waves = np.arange(2, 6)[:, None]
    height = rng.uniform(0, 0.36, (4, 1)) / waves
    angles = _angles()
    return [_polar(1 + (height * np.cos(waves * angles + rng.uniform(0, 2 * np.pi, (4, 1)))).sum(0), angles)]


def _body(rng: np.random.Generator) -> list[Points]:
    body = _blob(rng)[0] * np.array([1, rng.uniform(0.65, 1)])
    places = body[rng.integers(0, _CORNERS, int(rng.integers(2, 5)))]
    limbs = [_ellipse(rng)[0] * rng.uniform(0.28, 0.5) + 0.95 * place for place in places]
    return [body, *limbs]


_KINDS: tuple[Callable[[np.random.Generator], list[Points]], ...] = (_ellipse, _polygon, _star, _blob, _body)


def draw_shape(rng: np.random.Generator) -> Shape:
    """A random shape, turned at random."""
    parts = _KINDS[int(rng.integers(len(_KINDS)))](rng)
    turn = rng.uniform(0, 2 * np.pi)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    # The limbs of a body overlap it by about half.
    area = _area(parts[0]) + 0.5 * sum(_area(part) for part in parts[1:])
    parts = [part @ turned / np.sqrt(area) for part in parts]
    corners = np.concatenate(parts)
    middle = (corners.min(0) + corners.max(0)) / 2
    radius = float(np.sqrt(((corners - middle) ** 2).sum(1).max()))
    return Shape(tuple(part - middle for part in parts), radius)


def _area(points: Points) -> float:
    x, y = points.T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def coverage(polygons: Sequence[Points], size: tuple[int, int]) -> tuple[Picture, slice, slice]:
    """Draw polygons, anti-aliased.

    Args:
        polygons: (N,2) x, y in pixels, the corner of the image being (0, 0).
        size: (H, W) of the image.

    Returns:
        Coverage 0..255 inside the bounding box, and the box's rows and columns.
    """
    corners = np.concatenate(list(polygons))
    low = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, None)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (size[1], size[0]))
    cover = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    for polygon in polygons:
        # OpenCV has pixel centres at whole numbers.
        fixed = np.rint((polygon - low - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)
        cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, _FRACTION_BITS)
    return cover, slice(low[1], high[1]), slice(low[0], high[0])
