"""Image files: sizes from headers, pixels as arrays, and what is wrong with a file that cannot be read.

Pillow is used because it tells a file that is cut short from a whole one, and because it reads a header without the
pixels. The orientation tag of a JPEG is ignored for all roles alike, since depth maps and masks never carry one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from rgbdsod.datasets.sample import Picture
from rgbdsod.errors import DataError
from rgbdsod.foreign.arrays import read_npy
from rgbdsod.foreign.files import UnfitError, reason
from rgbdsod.foreign.pictures import check_pixels, opened

_GREY_TOLERANCE = 8  # JPEG stores a grey map as three channels that differ by a few levels


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    Attributes:
        size: (H, W).
        format: "JPEG", "PNG", "NPY", ...
    """

    size: tuple[int, int]
    format: str


def read_header(path: Path) -> Header:
    """Size and format of an image file (or a .npy array), without decoding it.

    Raises:
        DataError: the file is missing, empty or no image.
    """
    with _explained(path):
        if path.suffix.lower() == ".npy":
            shape = _array(path).shape
            return Header((shape[0], shape[1]), "NPY")
        with opened(path) as image:
            return Header((image.height, image.width), image.format or "")


def read_rgb(path: str | Path) -> Picture:
    """(H,W,3) uint8 in RGB order; grey, palette, 16-bit and RGBA files are converted, alpha is dropped.

    Raises:
        DataError: the file is missing or damaged.
    """
    with _opened(Path(path)) as image:
        if image.mode.startswith("I"):
            grey = _eight_bit(np.asarray(image))
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(image.convert("RGB"), np.uint8)


def read_map(path: str | Path) -> Picture:
    """(H,W) uint8: a saliency map or mask as the file has it; colour and alpha are dropped.

    Raises:
        DataError: the file is missing or damaged.
    """
    with _opened(Path(path)) as image:
        if image.mode.startswith("I"):
            return _eight_bit(np.asarray(image))
        return np.array(image.convert("L"), np.uint8)


def read_mask(path: str | Path) -> Picture:
    """(H,W) uint8: as `read_map`, and a mask of zeros and ones is scaled to 0 and 255.

    Raises:
        DataError: the file is missing or damaged.
    """
    mask = read_map(path)
    return mask * np.uint8(255) if mask.max() == 1 else mask


def read_raw_depth(path: Path) -> NDArray[Any]:
    """(H,W) uint8, uint16 or float32: the values of a depth file, as they are.

    Raises:
        DataError: the file is missing or damaged, is a colour picture, or holds values that are not finite.
    """
    raw = _load_array(path) if path.suffix.lower() == ".npy" else _load_grey(path)
    if raw.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold counts as infinite
            raw = raw.astype(np.float32)
        bad = int(raw.size - np.isfinite(raw).sum())
        if bad:
            raise DataError(
                f"{path} has {bad} of {raw.size} depth values that are not finite (nan or inf); "
                "write the missing ones as 0 in a 16-bit PNG"
            )
        return raw
    if raw.min() < 0 or raw.max() > 65535:
        raise DataError(f"{path} has depth values from {raw.min()} to {raw.max()}; expected 0 to 65535")
    return raw if raw.dtype == np.uint8 else raw.astype(np.uint16)


def _load_array(path: Path) -> NDArray[Any]:
    with _explained(path):
        mapped = _array(path)
        return np.array(mapped, np.uint8 if mapped.dtype.kind == "b" else mapped.dtype)


def _array(path: Path) -> NDArray[Any]:
    """The depth values of a .npy file, not read yet."""
    mapped = read_npy(path)
    if mapped.ndim != 2 or mapped.dtype.kind not in "biuf":
        raise DataError(f"{path} holds {mapped.dtype} of shape {mapped.shape}; expected one number per pixel: (H, W)")
    check_pixels(*mapped.shape)
    return mapped


def _load_grey(path: Path) -> NDArray[Any]:
    with _opened(path) as image:
        if image.mode.startswith("I") or image.mode in ("L", "F"):
            return np.array(image)
        if image.mode in ("1", "LA", "La"):
            return np.array(image.convert("L"))
        channels = np.array(image.convert("RGB"), np.int16)
    spread = int(np.ptp(channels, axis=2).max())
    if spread > _GREY_TOLERANCE:
        raise DataError(
            f"{path} is a colour picture (its channels differ by up to {spread}); expected depth in one grey channel"
        )
    return channels[..., 1].astype(np.uint8)


def _eight_bit(values: NDArray[Any]) -> Picture:
    """16-bit values to 8 bit, rounded."""
    levels: Picture = np.rint(np.clip(values, 0, 65535) / 257).astype(np.uint8)
    return levels


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with _explained(path), opened(path) as image:
        image.load()
        yield image


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever reading a file raises into one sentence about that file."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise DataError(_not_an_image(path)) from error
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except PermissionError as error:
        raise DataError(f"{path} cannot be opened: permission denied") from error
    except DataError:
        raise
    except UnfitError as error:
        raise DataError(f"{path} {error}") from error
    except Exception as error:  # Pillow raises nearly every kind for a damaged file
        if path.is_file() and not path.stat().st_size:
            raise DataError(_not_an_image(path)) from error
        raise DataError(f"{path} is cut short or damaged ({reason(error)}); copy it again from its source") from error


def _not_an_image(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(24)
    if not start:
        return f"{path} is empty (0 bytes); copy it again from its source"
    text = " ".join(start.decode("latin-1").split())
    if text.isascii() and text.isprintable():
        return f'{path} is not an image but a text that begins with "{text}"; replace it'
    return f"{path} is not an image, or its first bytes are damaged; copy it again from its source"
