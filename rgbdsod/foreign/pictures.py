"""Pictures of others: the formats that data sets come in, within a bound on their pixels.

Pillow knows formats that call other programs (EPS) or that are rarely looked at for faults; none of them is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rgbdsod.foreign.files import UnfitError, check_regular, read_bytes

PIXELS = 1 << 26
"""Of one picture: 8192 x 8192. A file of some kilobytes can say that it has billions."""

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "TIFF", "WEBP", "GIF")


@contextmanager
def opened(source: Path | bytes) -> Iterator[Image.Image]:
    """A picture whose header is read; its pixels are when they are asked for.

    Args:
        source: a file, or its content.

    Raises:
        UnfitError: it has too many pixels. Anything that Pillow raises for damaged files, which is nearly every kind.
    """
    if isinstance(source, Path):
        check_regular(source)
    with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
        check_pixels(image.height, image.width)
        yield image


def check_pixels(height: int, width: int) -> None:
    """Refuse sizes of nothing, and those that would fill the memory.

    Raises:
        UnfitError: the size is such a one.
    """
    if height < 1 or width < 1:
        raise UnfitError(f"has a size of {width}x{height} and shows nothing; replace it")
    if height * width > PIXELS:
        raise UnfitError(f"has {width}x{height} pixels, and at most {PIXELS // 10**6} million are read; scale it down")


def decode_picture(content: bytes, flags: int | None = None) -> NDArray[Any] | None:
    """The pixels of a picture, as OpenCV orders them; None where it is none, or has too many.

    Args:
        content: of the file.
        flags: OpenCV's; None: unchanged.
    """
    import cv2

    try:
        with opened(content) as image:
            image.load()  # OpenCV fills in what a damaged file lacks
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED if flags is None else flags)
    except Exception:  # Pillow raises nearly every kind for a damaged file, OpenCV its own
        return None


def read_picture(path: str | Path, flags: int | None = None) -> NDArray[Any] | None:
    """The pixels of a file, as `decode_picture` gives them.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return decode_picture(read_bytes(path), flags)
    except UnfitError:
        return None
