"""Signed distances to the outlines of the ten glyphs, and the textures inside them."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
"""A number for each pixel, (H,W)."""

Distance = Callable[[Field, Field], Field]
"""From coordinates x and y, in which the glyph about fills the unit circle: below 0 inside, in units of its radius."""


def _box(x: Field, y: Field, half_width: float, half_height: float) -> Field:
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


def _circle(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.95


def _square(x: Field, y: Field) -> Field:
    return _box(x, y, 0.8, 0.8)


def _triangle(x: Field, y: Field) -> Field:
    distance: Field = np.maximum(y - 0.55, np.sqrt(0.75) * np.abs(x) - 0.5 * y - 0.5)
    return distance


def _ring(x: Field, y: Field) -> Field:
    distance: Field = np.abs(np.hypot(x, y) - 0.7) - 0.25
    return distance


def _cross(x: Field, y: Field) -> Field:
    return np.minimum(_box(x, y, 0.95, 0.3), _box(x, y, 0.3, 0.95))


def _bar(x: Field, y: Field) -> Field:
    return _box(x, y, 0.95, 0.32)


def _diamond(x: Field, y: Field) -> Field:
    distance: Field = (np.abs(x) / 0.65 + np.abs(y) - 1) / np.hypot(1 / 0.65, 1)
    return distance


def _crescent(x: Field, y: Field) -> Field:
    return np.maximum(np.hypot(x, y) - 0.95, 0.7 - np.hypot(x - 0.5, y))


def _star(x: Field, y: Field) -> Field:
    """Five spikes, folded into half a spike: one edge from its tip to the notch beside it."""
    fifth = 2 * np.pi / 5
    radius, angle = np.hypot(x, y), np.arctan2(x, -y)
    angle = np.abs((angle + fifth / 2) % fifth - fifth / 2)
    notch = 0.45 * np.array([np.cos(fifth / 2), np.sin(fifth / 2)])
    along = notch - np.array([1.0, 0.0])
    across = np.array([along[1], -along[0]]) / np.hypot(*along)
    distance: Field = across[0] * (radius * np.cos(angle) - 1) + across[1] * radius * np.sin(angle)
    return distance


def _frame(x: Field, y: Field) -> Field:
    distance: Field = np.abs(np.maximum(np.abs(x), np.abs(y)) - 0.62) - 0.2
    return distance


OUTLINES: Mapping[str, Distance] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "ring": _ring,
    "cross": _cross,
    "bar": _bar,
    "diamond": _diamond,
    "crescent": _crescent,
    "star": _star,
    "frame": _frame,
}

_PERIOD = 0.34
"""Of the textures, in half sides of the image."""


def _stripes(x: Field, y: Field) -> Field:
    return np.sin(2 * np.pi * y / _PERIOD)


def _dots(x: Field, y: Field) -> Field:
    ink: Field = np.sin(2 * np.pi * x / _PERIOD) + np.sin(2 * np.pi * y / _PERIOD) - 0.6
    return ink


def _checks(x: Field, y: Field) -> Field:
    ink: Field = 2 * np.sin(np.pi * x / _PERIOD) * np.sin(np.pi * y / _PERIOD)
    return ink


INKS: Mapping[str, Distance] = {"striped": _stripes, "dotted": _dots, "checkered": _checks}
"""Above 0 where a texture is dark; the coordinates turn with the glyph, and their unit is half the image's side."""
