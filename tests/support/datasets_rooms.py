"""Depth maps with known geometry: a tilted room, and a plane."""

import numpy as np

CAMERA = np.array([[110.0, 0, 64.5], [0, 110.0, 48.5], [0, 0, 1]])
SIZE = (96, 128)


def rays(camera=CAMERA, size=SIZE) -> np.ndarray:
    """(H,W,3) rays (a, b, 1) of the pixels, numbered from 1."""
    rows, columns = np.mgrid[1 : size[0] + 1, 1 : size[1] + 1]
    slopes = ((columns - camera[0, 2]) / camera[0, 0], (rows - camera[1, 2]) / camera[1, 1])
    return np.stack([*slopes, np.ones(size)], -1)


def turned(pitch: float = 12.0, roll: float = 4.0) -> np.ndarray:
    """Gravity in a camera that looks down by `pitch` degrees and is rolled."""
    p, r = np.radians([pitch, roll])
    return np.array([np.sin(r) * np.cos(p), np.cos(r) * np.cos(p), np.sin(p)])


def room(down: np.ndarray, size=SIZE, camera=CAMERA) -> tuple[np.ndarray, np.ndarray]:
    """Depth in metres of a room seen from 1.4 m above its floor, and which surface each pixel shows.

    Surfaces: 0 floor, 1 back wall at 4 m, 2 and 3 side walls at 1.5 m, 4 ceiling 1.2 m above the camera.
    """
    forward = np.array([0, 0, 1.0]) - down[2] * down
    forward /= np.linalg.norm(forward)
    right = np.cross(down, forward)
    planes = [(down, 1.4), (forward, 4.0), (right, 1.5), (-right, 1.5), (-down, 1.2)]
    ray = rays(camera, size)
    with np.errstate(divide="ignore"):
        distances = np.stack([np.where(ray @ n > 1e-9, d / (ray @ n), np.inf) for n, d in planes], -1)
    return distances.min(-1), distances.argmin(-1)


def away_from_edges(surface: np.ndarray, radius: int = 3) -> np.ndarray:
    """Where the whole window shows one surface."""
    inside = np.zeros(surface.shape, bool)
    windows = np.lib.stride_tricks.sliding_window_view(surface, (2 * radius + 1, 2 * radius + 1))
    inside[radius:-radius, radius:-radius] = np.ptp(windows, axis=(-2, -1)) == 0
    return inside
