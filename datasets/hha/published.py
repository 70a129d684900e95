"""The published algorithm, step by step, in float64: slow, plain, and the measure of the others.

Source: S. Gupta, R. Girshick, P. Arbelaez, J. Malik, "Learning Rich Features from RGB-D Images for Object Detection and
Segmentation", ECCV 2014 (arXiv 1407.5736), section 2; gravity: S. Gupta, P. Arbelaez, J. Malik, "Perceptual
Organization and Recognition of Indoor Scenes from RGB-D Images", CVPR 2013, section 3.
"""

import cv2
import numpy as np

from rgbdsod.datasets.hha.camera import Matrix, slopes
from rgbdsod.datasets.hha.geometry import (
    COARSE,
    DOWN,
    FINE,
    ROUNDS,
    Flags,
    Floats,
    Geometry,
    floor_of,
    height_axis,
    least_axis,
)


def measure(depth: Floats, valid: Flags, camera: Matrix, gravity: Floats | None = None) -> Geometry:
    """The geometry of (H,W) depth in metres.

    Args:
        depth: above 0 where `valid`.
        valid: where depth was measured; the planes are fitted there, heights are those of all pixels.
        camera: (3,3) for 1-based pixel numbers.
        gravity: (3,) of length 1; None: estimated.
    """
    down = find_gravity(normals(depth, valid, camera, COARSE)) if gravity is None else gravity
    fine = normals(depth, valid, camera, FINE)
    columns, rows = slopes(camera, depth.shape)
    x, y, z = height_axis(down)
    height = -100 * depth * (columns * x + rows * y + z)
    floor = floor_of(float(height.min()))
    defined = ~np.isnan(fine[..., 0])
    angle = np.degrees(np.arccos(np.clip(fine @ down, -1, 1)))
    return Geometry(height - floor, np.where(defined, angle, 180), defined, down, floor)


def normals(depth: Floats, valid: Flags, camera: Matrix, radius: int) -> Floats:
    """Unit normals (H,W,3), pointing away from the camera; NaN where a window holds no valid pixel.

    In each window the plane 1/z = p a + q b + s is fitted to the valid pixels; the normal is (p, q, s).
    """
    a, b = np.broadcast_arrays(*slopes(camera, depth.shape))
    weight = valid.astype(np.float64)
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=valid)
    aa, ab, a1, bb, b1, count = (_windows(weight * f, radius) for f in (a * a, a * b, a, b * b, b, 1))
    right = [_windows(inverse * f, radius) for f in (a, b, 1)]
    # Rows of the adjugate; the determinant is a common factor, and the sign is chosen below.
    adjugate = (
        (bb * count - b1 * b1, b1 * a1 - ab * count, ab * b1 - bb * a1),
        (b1 * a1 - ab * count, aa * count - a1 * a1, ab * a1 - aa * b1),
        (ab * b1 - bb * a1, ab * a1 - aa * b1, aa * bb - ab * ab),
    )
    normal = np.stack([sum(factor * value for factor, value in zip(row, right, strict=True)) for row in adjugate], -1)
    away = normal[..., 0] * a + normal[..., 1] * b + normal[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal[away < 0] *= -1
    normal[count == 0] = np.nan
    return normal


def find_gravity(normal: Floats) -> Floats:
    """The direction (3,) that floor normals are parallel to and wall normals are perpendicular to."""
    known = normal[~np.isnan(normal).any(-1)]
    down = DOWN
    for limit, rounds in ROUNDS:
        for _ in range(rounds):
            along = np.abs(known @ down)
            floor, wall = known[along > np.cos(np.radians(limit))], known[along < np.sin(np.radians(limit))]
            down = least_axis(wall.T @ wall - floor.T @ floor, down)
    return down


def _windows(values: Floats, radius: int) -> Floats:
    """Sums over square windows that are cut at the border: direct, since running sums leave residue in empty ones."""
    ones = np.ones(2 * radius + 1)
    return np.asarray(cv2.sepFilter2D(values, -1, ones, ones, borderType=cv2.BORDER_CONSTANT), np.float64)
