"""Generated scenes of discs, squares and triangles: data on which a small detector trains in a minute."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.coco.boxed import BoxedImage, BoxedSet
from rgbdsod.datasets.sample import Map
from rgbdsod.datasets.textures import Window, fractal, paint, pattern
from rgbdsod.errors import UsageError

CLASSES = ("disc", "square", "triangle")

VERSION = 1
"""To be raised whenever a scene of the same seed and index changes."""

_MOST = 4
_SIDES = (0.2, 0.5)  # of a shape, in sides of the image
_TRIES = 20
_OVERLAP = 0.15  # of two boxes at most
_APART = 0.5  # of colours, in the RGB cube
_CORNERS = {"disc": 40, "square": 4, "triangle": 3}
_BITS = 4  # OpenCV draws polygons at 1/16 pixel
_MIN_SIDE = 32


class ShapeScenes(BoxedSet):
    """A series of generated scenes: one to four shapes, turned and textured, on a textured ground.

    Args:
        count: how many, 1 or more.
        seed: which series.
        side: of the images, in pixels, 32 or more.

    Raises:
        UsageError: an argument is outside its range.
    """

    def __init__(self, count: int, *, seed: int = 0, side: int = 128) -> None:
        if count < 1 or seed < 0 or side < _MIN_SIDE:
            raise UsageError(
                f"{count} shape scenes of seed {seed} and side {side}; "
                f"count must be 1 or more, the seed 0 or more, the side {_MIN_SIDE} or more"
            )
        super().__init__(f"shapes:{count}@{side}#{seed}", range(1, count + 1), CLASSES)
        self.seed, self.side = seed, side

    def read(self, position: int) -> BoxedImage:
        """Draw the scene at a position."""
        return shape_scene(position, seed=self.seed, side=self.side)


def shape_scene(index: int, *, seed: int = 0, side: int = 128) -> BoxedImage:
    """Draw one scene; the same arguments always give the same scene.

    Args:
        index: which scene, 0 or more.
        seed: which series of scenes, 0 or more.
        side: of the image, in pixels.
    """
    rng = np.random.default_rng((seed, index, 2))
    window = Window.whole((side, side))
    ground = rng.uniform(0.15, 0.85, 3).astype(np.float32)
    other = np.clip(ground + rng.uniform(-0.2, 0.2, 3).astype(np.float32), 0, 1)
    rgb = paint(pattern(rng, window), ground, other)
    rgb += np.float32(0.15) * (fractal(rng, window.size, cells=8) - np.float32(0.5))
    boxes: list[NDArray[np.float64]] = []
    labels: list[int] = []
    for _ in range(int(rng.integers(1, _MOST + 1))):
        label = int(rng.integers(len(CLASSES)))
        outline = _outline(rng, CLASSES[label], side, boxes)
        if outline is not None:
            _draw(rng, rgb, window, outline, ground)
            boxes.append(_box(outline))
            labels.append(label)
    rgb += np.float32(0.02) * rng.standard_normal(rgb.shape, dtype=np.float32)
    return BoxedImage(
        id=index + 1,
        file=f"shapes-{seed}-{index:06d}.png",
        image=np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0).copy(),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        crowd=np.zeros(len(labels), bool),
    )


def _outline(
    rng: np.random.Generator, name: str, side: int, taken: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64] | None:
    """Corners (N,2) in pixels of a shape that hardly overlaps the others; None where there is no room."""
    for _ in range(_TRIES):
        radius = rng.uniform(*_SIDES) * side / 2
        turn, centre = rng.uniform(0, 2 * np.pi), rng.uniform(radius, side - radius, 2)
        count = _CORNERS[name]
        angles = turn + np.linspace(0, 2 * np.pi, count, endpoint=False)
        corners: NDArray[np.float64] = centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        if all(_overlap(_box(corners), box) <= _OVERLAP for box in taken):
            return corners
    return None


def _draw(
    rng: np.random.Generator, rgb: Map, window: Window, corners: NDArray[np.float64], ground: NDArray[np.float32]
) -> None:
    """Paint a shape over the picture, in a colour apart from the ground's."""
    colours = rng.random((16, 3), dtype=np.float32)
    first = colours[np.argmax(np.minimum(np.linalg.norm(colours - ground, axis=1), _APART))]
    second = np.clip(first + rng.uniform(-0.2, 0.2, 3).astype(np.float32), 0, 1)
    cover = np.zeros(window.size, np.uint8)
    fixed = np.rint((corners - 0.5) * (1 << _BITS)).astype(np.int32)
    cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, _BITS)
    rgb += cover * np.float32(1 / 255) * (paint(pattern(rng, window), first, second) - rgb)


def _box(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([corners.min(0), corners.max(0)])


def _overlap(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Intersection over the smaller of two boxes."""
    sides = np.clip(np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2]), 0, None)
    areas = [np.prod(box[2:] - box[:2]) for box in (one, two)]
    return float(np.prod(sides) / min(areas))
