"""Pictures as data URIs: whole pixels where they are small, JPEG where a photograph would weigh too much."""

from base64 import b64encode
from typing import Literal

import numpy as np

from rgbdsod.report.panels import Bytes, reduce

Content = Literal["photo", "map", "difference"]

_LOSSLESS_PIXELS = 160 * 160  # up to here even noise is small as PNG
_QUALITY = {"photo": 90, "difference": 85}


def data_uri(image: Bytes, content: Content, side: int) -> str:
    """A picture to put into the page.

    Args:
        image: (H, W) or (H, W, 3) in RGB order, 8 bit.
        content: "map" is always lossless; the others are JPEG when large.
        side: the longer side is brought down to this many pixels.

    Returns:
        The data URI.
    """
    import cv2

    small = reduce(image, side, keep_contrast=content == "difference")
    pixels = small if small.ndim == 2 else np.ascontiguousarray(small[..., ::-1])
    if content == "map" or small.shape[0] * small.shape[1] <= _LOSSLESS_PIXELS:
        kind, (_, raw) = "png", cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY[content], cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
        kind, (_, raw) = "jpeg", cv2.imencode(".jpg", pixels, options)
    return f"data:image/{kind};base64,{b64encode(raw.tobytes()).decode()}"
