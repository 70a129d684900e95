"""Surface patterns for generated scenes: noise in octaves, stripes, checks, gradients."""

from dataclasses import dataclass

import cv2
import numpy as np

from rgbdsod.datasets.sample import Map


@dataclass(frozen=True)
class Window:
    """A rectangle of the image, with pixel centres in units of the square root of the image's area.

    All lengths of a scene are in that unit, so a scene looks the same at every resolution.
    """

    x: Map
    y: Map

    @classmethod
    def whole(cls, size: tuple[int, int]) -> "Window":
        """The whole image of size (H, W)."""
        unit = float(np.sqrt(size[0] * size[1]))
        x = (np.arange(size[1], dtype=np.float32) + 0.5) / unit
        y = (np.arange(size[0], dtype=np.float32) + 0.5) / unit
        return cls(x[None, :], y[:, None])

    def crop(self, rows: slice, cols: slice) -> "Window":
        """A part of it."""
        return Window(self.x[:, cols], self.y[rows])

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.y.shape[0], self.x.shape[1]

    def along(self, angle: float) -> Map:
        """(H,W) position along a direction."""
        return self.x * np.float32(np.cos(angle)) + self.y * np.float32(np.sin(angle))


def fractal(rng: np.random.Generator, size: tuple[int, int], *, cells: int = 4, octaves: int = 4) -> Map:
    """Smooth noise in octaves, (H,W), roughly in [0, 1].

    Args:
        rng: source of randomness; what is drawn does not depend on `size`.
        size: (H, W) in pixels.
        cells: grid cells along the longer side in the coarsest octave.
        octaves: each has twice the cells and 0.55 of the height of the one before.
    """
    noise: Map = np.zeros((cells, cells), np.float32)
    height, total = 1.0, 0.0
    for octave in range(octaves):
        cells_now = cells << octave
        if octave:
            noise = _resized(noise, (cells_now, cells_now), cv2.INTER_LINEAR)
        noise += np.float32(height) * rng.random((cells_now, cells_now), dtype=np.float32)
        total += height
        height *= 0.55
    # A long image shows a long part of the grid: cells stay square.
    side = noise.shape[0]
    rows, cols = (max(2, round(side * length / max(size))) for length in size)
    part = noise[:rows, :cols] / np.float32(total)
    stretched: Map = np.clip(_resized(part, size, cv2.INTER_CUBIC) * 2 - 0.5, 0, 1)
    return stretched


def _resized(values: Map, size: tuple[int, int], interpolation: int) -> Map:
    return cv2.resize(values, size[::-1], interpolation=interpolation).astype(np.float32, copy=False)


def pattern(rng: np.random.Generator, window: Window) -> Map:
    """A random pattern, (H,W) in [0, 1]: noise, stripes, checks, a gradient, or nearly plain."""
    kind = rng.choice(5, p=(0.4, 0.2, 0.15, 0.15, 0.1))
    angle, frequency, sharpness = rng.uniform((0, 4, 0.6), (np.pi, 14, 2.0)).tolist()
    if kind == 0:
        return fractal(rng, window.size, cells=int(rng.integers(4, 9)))
    if kind == 1:
        return _soft(np.sin(2 * np.pi * frequency * window.along(angle)), sharpness)
    if kind == 2:
        across = np.sin(np.pi * frequency * window.along(angle + np.pi / 2))
        return _soft(np.sin(np.pi * frequency * window.along(angle)) * across, 2 * sharpness)
    if kind == 3:
        ramp = window.along(2 * angle)
        rising: Map = (ramp - ramp.min()) / np.float32(max(float(np.ptp(ramp)), 1e-6))
        return rising
    return np.full(window.size, 0.5, np.float32)


def _soft(wave: Map, sharpness: float) -> Map:
    soft: Map = np.clip(np.float32(0.5) + np.float32(sharpness) * wave, 0, 1)
    return soft


def paint(weight: Map, first: Map, second: Map) -> Map:
    """Blend two colours by a pattern: (H,W) and two (3,) give (3,H,W)."""
    return first[:, None, None] + weight * (second - first)[:, None, None]
