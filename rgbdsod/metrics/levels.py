"""What a protocol makes of the 256 levels of a map, and the sums of levels that measures are built from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray, IntArray
from rgbdsod.metrics.table import PROTOCOLS

_LEVELS = np.arange(256)
_SAFE_PIXELS = 11_000_000  # pixels * sum(level ** 2) fits 64 bits up to here


def check_protocol(protocol: str) -> None:
    """Refuse an unknown protocol.

    Raises:
        UsageError: if it is none of `PROTOCOLS`.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f'no protocol "{protocol}"; choose "benchmark" (each map stretched to 0..1) or "raw"')


def stretch(lowest: Any, highest: Any, protocol: str) -> tuple[Any, Any]:
    """How a protocol reads levels: the value of level k is `(k - offset) / span`.

    A map of one level only is not stretched by any protocol.

    Args:
        lowest: lowest level in the map, 0..255; number or array.
        highest: highest level in the map.
        protocol: "benchmark" or "raw".

    Returns:
        (offset, span), of the arguments' shape.
    """
    stretched = (protocol == "benchmark") & (np.asarray(highest) > lowest)
    return np.where(stretched, lowest, 0), np.where(stretched, np.subtract(highest, lowest), 255)


@dataclass(frozen=True)
class Levels:
    """Counts as one protocol reads them.

    Attributes:
        parts: (N, 4, 2, 256), pixels by part, background or foreground, and level of the map.
        offset: (N,), the level that is worth 0.
        span: (N,), levels between 0 and 1.
    """

    parts: IntArray
    offset: IntArray
    span: IntArray

    @classmethod
    def of(cls, counts: IntArray, protocol: str) -> "Levels":
        """Read counts (N, 2048) by a protocol."""
        parts = counts.reshape(-1, 4, 2, 256)
        present = parts.sum(axis=(1, 2)) > 0
        lowest, highest = present.argmax(axis=1), 255 - present[:, ::-1].argmax(axis=1)
        return cls(parts, *stretch(lowest, highest, protocol))

    @cached_property
    def values(self) -> FloatArray:
        """The value of each level, (N, 256); meaningless for levels that the map has not.

        In the very operations that a stretched image undergoes in float64, since some thresholds are met exactly.
        """
        plain = _LEVELS / 255
        low, high = plain[self.offset, None], plain[self.offset + self.span, None]
        return (plain - low) / (high - low)

    @cached_property
    def moments(self) -> "Moments":
        """Exact sums over the pixels of each part."""
        pixels = self.parts.sum(axis=-1)
        first, second = self.parts @ _LEVELS, self.parts @ _LEVELS**2
        offset = self.offset[:, None, None]
        second = second - 2 * offset * first + offset**2 * pixels
        first = first - offset * pixels
        if pixels.sum(axis=(1, 2)).max(initial=0) > _SAFE_PIXELS:  # Python's integers have no limit
            pixels, first, second = (sums.astype(object) for sums in (pixels, first, second))
        return Moments(pixels, first, second)


@dataclass(frozen=True)
class Moments:
    """Exact sums over the pixels of a set, each array of one shape; levels are counted from the offset.

    Attributes:
        pixels: number of pixels.
        first: sum of levels.
        second: sum of squared levels.
    """

    pixels: IntArray
    first: IntArray
    second: IntArray

    def sum(self, axis: int) -> "Moments":
        """The moments of the union along an axis."""
        return Moments(self.pixels.sum(axis=axis), self.first.sum(axis=axis), self.second.sum(axis=axis))

    def spread(self) -> IntArray:
        """`pixels ** 2` times the variance: an integer, so 0 means constant and nothing else does."""
        return self.pixels * self.second - self.first * self.first
