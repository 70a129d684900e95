"""Pictures of a run as lossless PNG: what is saved is what is read back and measured."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import DataError
from rgbdsod.foreign.pictures import decode_picture

Picture = NDArray[np.uint8] | NDArray[np.uint16]


def encode(picture: Picture) -> bytes:
    """A picture (H, W) of 8 or 16 bit, or (H, W, 3) in RGB order, as PNG."""
    stored = picture[..., ::-1] if picture.ndim == 3 else picture
    done, content = cv2.imencode(".png", np.ascontiguousarray(stored))
    if not done:
        raise DataError(f"a picture of {picture.shape[1]}x{picture.shape[0]} cannot be written as PNG")
    return content.tobytes()


def decode(content: bytes) -> Picture:
    """The picture in a PNG that `encode` made."""
    stored: Any = decode_picture(content)
    if stored is None:
        raise DataError("a picture of the run is damaged; repeat the run with --restart")
    picture: Picture = np.ascontiguousarray(stored[..., ::-1]) if stored.ndim == 3 else stored
    return picture


def to_levels(values: NDArray[np.floating], levels: int) -> Picture:
    """Numbers in [0, 1] on the grid of 0..levels; `levels` is 255 or 65535."""
    steps = np.rint(np.clip(values, 0, 1) * levels)
    picture: Picture = steps.astype(np.uint8 if levels == 255 else np.uint16)
    return picture


def from_levels(picture: Picture) -> NDArray[np.float32]:
    """Numbers in [0, 1] from a picture of 8 or 16 bit."""
    return picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
