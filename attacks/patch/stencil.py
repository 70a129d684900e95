"""Outlines from pictures: the alpha of a file."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.errors import DataError
from rgbdsod.foreign.files import UnfitError, read_bytes
from rgbdsod.foreign.pictures import decode_picture

SUFFIXES = (".png", ".webp", ".tif", ".tiff")


def is_file(shape: str) -> bool:
    """Whether a shape is a picture's name."""
    return Path(shape).suffix.lower() in SUFFIXES


def stencil(path: str) -> Tensor:
    """The alpha of a picture as cover in [0, 1], (1,h,w), without the rows and columns around it that are empty.

    Args:
        path: of a picture with four channels, or grey and alpha, of 8 or 16 bit.

    Raises:
        DataError: it cannot be read, has no alpha, or its alpha covers nothing by half.
    """
    values = decode_picture(_content(path))
    if values is None:
        raise DataError(f"--shape {path} is no picture that can be read; save it as PNG with an alpha channel")
    if values.ndim != 3 or values.shape[2] != 4:
        raise DataError(f"--shape {path} has no alpha channel, which is the shape; save it as RGBA")
    alpha = values[..., 3].astype(np.float32) / (65535 if values.dtype == np.uint16 else 255)
    if not (alpha >= 0.5).any():
        raise DataError(f"--shape {path}: its alpha reaches one half nowhere, it covers nothing; draw it opaque")
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    return torch.from_numpy(alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy())[None]


def resized(alpha: Tensor, height: int, width: int) -> Tensor:
    """A stencil at another size, (1,h,w): means where it shrinks, bilinear where it grows."""
    if alpha.shape[-2:] == (height, width):
        return alpha
    found = interpolate(alpha[None], (height, width), mode="bilinear", antialias=True, align_corners=False)
    return found[0].clamp(0, 1)


def stencil_facts(shape: str) -> dict[str, str]:
    """What tells a shape of a file from another one of the same name: its SHA-256; nothing for other shapes."""
    return {"shape_sha256": hashlib.sha256(_content(shape)).hexdigest()} if is_file(shape) else {}


def _content(path: str) -> bytes:
    try:
        content = read_bytes(path)
    except OSError as error:
        raise DataError(f"cannot read --shape {path}: {(error.strerror or str(error)).lower()}") from error
    except UnfitError as error:
        raise DataError(f"--shape {path} {error}") from error
    if not content:
        raise DataError(f"--shape {path} is empty; save it as PNG with an alpha channel")
    return content
