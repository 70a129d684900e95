"""Camera matrices as they come in files and on command lines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.hha.camera import Matrix, check_camera, pinhole
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.arrays import read_npy
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import read_text, reason, shown

_MOST = 1 << 20  # bytes
_KEYS = ("camera", "K", "intrinsic_matrix", "color")
_EXPECTED = (
    f"four numbers fx, fy, cx, cy, or a 3x3 matrix, as text, .npy or JSON (the matrix itself, or as {', '.join(_KEYS)})"
)


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera matrix, and the image size that its file gives it for.

    Attributes:
        matrix: (3,3), for pixel numbers that begin at 1.
        size: (H, W), None where the file says nothing.
    """

    matrix: Matrix
    size: tuple[int, int] | None = None

    def of_size(self, size: tuple[int, int]) -> Matrix:
        """The matrix, if it is one for images of this size (H, W).

        Raises:
            UsageError: it is not.
        """
        if self.size is not None and self.size != size:
            here, there = (f"{found[1]}x{found[0]}" for found in (size, self.size))
            raise UsageError(f"the camera is for {there} images but depth is {here}; pass the matrix of {here} images")
        return check_camera(self.matrix, size)


def read_camera(camera: str | Path, *, zero_based: bool = False) -> Camera:
    """The camera that a file or "fx,fy,cx,cy" names.

    Args:
        camera: a .json, .npy or text file, or four numbers with commas. The "intrinsic_matrix" of Open3D is read by
            column and always zero based.
        zero_based: the first pixel is number 0 in it, not 1.

    Raises:
        DataError: the file holds no camera.
        UsageError: the text is neither a file nor four numbers.

    Example:
        >>> from rgbdsod.datasets import read_camera
        >>> read_camera("525,525,319.5,239.5", zero_based=True).matrix.tolist()
        [[525.0, 0.0, 320.5], [0.0, 525.0, 240.5], [0.0, 0.0, 1.0]]
    """
    path = Path(camera)
    if path.is_file():
        numbers, size, begins_at_0 = _from_file(path)
    else:
        numbers, size, begins_at_0 = _from_text(str(camera)), None, False
    matrix = _matrix(numbers)
    if matrix is None:
        raise DataError(f"{camera} holds no camera; expected {_EXPECTED}")
    if zero_based or begins_at_0:
        matrix[:2, 2] += 1
    return Camera(matrix, size)


def _from_text(text: str) -> NDArray[np.float64]:
    try:
        return np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise UsageError(f"camera is {shown(text)}, which is no file; expected one, or fx,fy,cx,cy in pixels") from None


def _from_file(path: Path) -> tuple[Any, tuple[int, int] | None, bool]:
    """Numbers, image size, and whether pixel numbers begin at 0 by the file's format."""
    try:
        if path.suffix.lower() == ".npy":
            return _few(read_npy(path)), None, False
        text = read_text(path, _MOST)
        if path.suffix.lower() != ".json":
            return np.array(text.replace(",", " ").split(), np.float64), None, False
        found = parse_json(text)
        if not isinstance(found, dict):
            return found, None, False
        key = next((key for key in _KEYS if key in found), None)
        size = (int(found["height"]), int(found["width"])) if {"height", "width"} <= set(found) else None
        by_column = key == "intrinsic_matrix"
        numbers = np.array(found[key], np.float64) if key else None
        return (numbers.reshape(3, 3).T if by_column and numbers is not None else numbers), size, by_column
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{path} holds no camera ({reason(error)}); expected {_EXPECTED}") from error


def _few(values: NDArray[Any]) -> NDArray[Any]:
    """An array that may be a camera, read from its file."""
    return np.array(values if values.size in (4, 9) else (), np.float64)


def _matrix(numbers: Any) -> Matrix | None:
    try:
        values = np.array(numbers, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if not np.isfinite(values).all():
        return None
    if values.size == 4:
        return pinhole(*values.ravel().tolist())
    return values.reshape(3, 3).copy() if values.size == 9 else None
