"""What both programs return: the geometry of one depth map, before it becomes levels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FINE, COARSE = 3, 10
"""Radii of the windows in which planes are fitted: for the angle, and for gravity."""

DOWN = np.array([0.0, 1.0, 0.0])
"""Gravity before it is estimated: the camera's own y."""

ROUNDS = ((45.0, 5), (15.0, 5))
"""Limits in degrees within which a normal counts as floor or wall, and for how many rounds."""

TIE = 1e-5
"""Share of the largest eigenvalue below which two are equal, so that a surface alone leaves gravity open."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """The geometry of one depth map.

    Attributes:
        height: (H,W) above the floor, in centimetres.
        angle: (H,W) between the surface's normal and gravity, in degrees; 180 where there is no normal.
        defined: (H,W) where there is a normal.
        gravity: (3,) direction, x right, y down, z forward.
        floor: height of the floor over the camera, in centimetres; negative.
    """

    height: Floats
    angle: Floats
    defined: Flags
    gravity: Floats
    floor: float


def least_axis(scatter: Floats, down: Floats) -> Floats:
    """The eigenvector (3,) of the smallest eigenvalue with the sign nearest to `down`.

    One wall alone has two such directions, and any between them; then it is the one that `down` is nearest to, and
    `down` itself where there is neither floor nor wall.
    """
    values, vectors = np.linalg.eigh(scatter)
    axis: Floats = vectors[:, 0]
    if values[1] - values[0] <= TIE * np.abs(values).max():
        between = vectors[:, :2] @ (vectors[:, :2].T @ down)
        length = np.linalg.norm(between)
        axis = between / length if scatter.any() and length > TIE else down
    return -axis if axis @ down < 0 else axis


def height_axis(gravity: Floats) -> Floats:
    """The direction that heights are measured along: the camera's own if gravity is within 0.1 degree of it."""
    return DOWN if np.degrees(np.arccos(np.clip(gravity[1], -1, 1))) < 0.1 else gravity


def floor_of(lowest: float) -> float:
    """The floor's height in centimetres from that of the lowest point; -130 if no point is 90 cm below the camera."""
    return -130.0 if lowest > -90 else lowest
