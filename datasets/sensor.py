"""What a depth camera makes of true distances: noise, holes, and the filling of holes."""

import cv2
import numpy as np

from rgbdsod.datasets.sample import Flags, Map
from rgbdsod.datasets.textures import fractal


def measure(rng: np.random.Generator, grain: np.random.Generator, distance: Map, near: Flags) -> tuple[Map, Flags]:
    """Measured distances and which of them are real.

    Stereo and structured light measure disparity, so the error of the distance grows with its square; what one of the
    two eyes cannot see, beside the left border of a near thing, has no distance, and neither have a few glossy spots.

    Args:
        rng: for what does not depend on the number of pixels.
        grain: for noise that is drawn once per pixel.
        distance: (H,W) true distances in metres.
        near: (H,W) True on things that stand before the background.

    Returns:
        (H,W) distances with holes filled from the nearest measured pixel; (H,W) True where measured.
    """
    height, width = distance.shape
    noise = grain.standard_normal((height, width), dtype=np.float32)
    measured = distance + np.float32(rng.uniform(0.001, 0.003)) * distance**2 * noise
    shift = max(1, round(rng.uniform(0.008, 0.022) * np.sqrt(height * width)))
    shadow = np.zeros_like(near)
    shadow[:, :-shift] = near[:, shift:]
    spots = fractal(rng, (height, width), cells=6, octaves=3) > rng.uniform(0.93, 1)
    valid = ~((shadow & ~near) | spots)
    return fill(measured, valid), valid


def fill(values: Map, valid: Flags) -> Map:
    """Give each invalid pixel the value of the nearest valid one; values without any valid pixel stay."""
    if valid.all() or not valid.any():
        return values
    _, labels = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Each valid pixel has a label of its own, which the invalid pixels nearest to it share.
    table: Map = np.zeros(int(labels.max()) + 1, np.float32)
    table[labels[valid]] = values[valid]
    filled: Map = table[labels]
    return filled
