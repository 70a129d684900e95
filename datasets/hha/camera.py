"""Camera matrices: what is accepted, the rays of the pixels, and what a resize does to them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rgbdsod.errors import UsageError

Matrix = NDArray[np.float64]

KINECT_FOCAL = 0.81
"""Focal length over image width of a Kinect's colour camera (518.9 / 640), 63 degrees horizontally."""

_EDGE = 0.05


def check_camera(camera: ArrayLike | None, size: tuple[int, int]) -> Matrix:
    """The camera matrix as (3,3) float64, if it fits an image of `size` = (H, W).

    Raises:
        UsageError: there is none, it is no pinhole matrix, or its centre lies outside the image or at its edge.
    """
    if camera is None:
        raise UsageError(
            "metric HHA needs a camera matrix, and none came with the depth; pass camera= (3x3, in pixels), "
            "or take pseudo_hha, which assumes one"
        )
    matrix = np.asarray(camera, np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise UsageError(f"camera has shape {matrix.shape}; pass a 3x3 matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
    (fx, skew, cx), (lower, fy, cy), last = matrix
    if skew or lower or tuple(last) != (0, 0, 1) or min(fx, fy) <= 0:
        raise UsageError(f"camera is {matrix.tolist()}; expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx, fy > 0")
    height, width = size
    # A matrix of an image twice as large has its centre in the corner.
    if any(not _EDGE * side <= centre <= side + 1 - _EDGE * side for centre, side in ((cx, width), (cy, height))):
        raise UsageError(
            f"the camera's centre ({cx:g}, {cy:g}) lies at the edge or outside of the {width}x{height} image; pass the "
            "matrix of this size (resized_camera after a resize), and encode before you crop"
        )
    return matrix


def pinhole(fx: float, fy: float, cx: float, cy: float) -> Matrix:
    """The matrix (3,3) of focal lengths and centre in pixels."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)


def kinect_camera(size: tuple[int, int]) -> Matrix:
    """The matrix that is assumed where none is known: a Kinect's field of view, centred; for 1-based pixel numbers."""
    height, width = size
    focal = KINECT_FOCAL * width
    return pinhole(focal, focal, (width + 1) / 2, (height + 1) / 2)


def resized_camera(camera: ArrayLike, size: tuple[int, int], new_size: tuple[int, int]) -> Matrix:
    """The matrix after the image was resized.

    Args:
        camera: (3,3), for 1-based pixel numbers.
        size: (H, W) that it belongs to.
        new_size: (H, W) after the resize, in which pixels keep their share of the image (as OpenCV and torch do).
    """
    scale = np.array([new_size[1] / size[1], new_size[0] / size[0]])
    matrix = np.array(camera, np.float64)
    matrix[:2, :2] *= scale[:, None]
    matrix[:2, 2] = (matrix[:2, 2] - 0.5) * scale + 0.5  # the edge of the image, not its first pixel, stays in place
    return matrix


def slopes(camera: Matrix, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rays (a, b, 1) of the pixels: a (1,W) by column, b (H,1) by row; pixel numbers begin at 1."""
    height, width = size
    columns = (np.arange(1, width + 1) - camera[0, 2]) / camera[0, 0]
    rows = (np.arange(1, height + 1) - camera[1, 2]) / camera[1, 1]
    return columns[None, :], rows[:, None]
