"""Arrays to pictures: differences with a gain, depth in colours, reduction to a side. Pure functions."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]
Bytes: TypeAlias = NDArray[np.uint8]

GAIN = 16.0
"""At this gain a change of 8/255 just reaches black or white."""

DEPTH_COLOURS = "magma"
"""Perceptually uniform, and monotone in lightness, so it also reads in print and without colour vision."""


def unit(image: NDArray[np.unsignedinteger]) -> NDArray[np.float64]:
    """An image of 8 or 16 bit as numbers in [0, 1], on the full range of its type."""
    top = float(np.iinfo(image.dtype).max)
    return np.asarray(image.astype(np.float64) / top)


def grey(image: Floats) -> Bytes:
    """Numbers in [0, 1], any shape, as 8-bit levels."""
    return np.asarray(np.rint(np.clip(image, 0.0, 1.0) * 255.0), dtype=np.uint8)


def difference(adversarial: Floats, clean: Floats, gain: float = GAIN) -> Bytes:
    """The signed change around mid-grey.

    Args:
        adversarial: (H, W) or (H, W, 3) in [0, 1].
        clean: the same shape.
        gain: factor on the change; changes beyond 128/255 / gain are cut to black or white.

    Returns:
        8-bit image of the same shape; 128 is "unchanged", lighter is "raised".
    """
    return grey(128.0 / 255.0 + gain * (adversarial - clean))


def cut_share(adversarial: Floats, clean: Floats, gain: float = GAIN) -> float:
    """Share of the values whose change is too large for `difference` at this gain."""
    shown = 128.0 / 255.0 / gain + 1e-9
    return float(np.mean(np.abs(adversarial - clean) > shown)) if adversarial.size else 0.0


def depth_colours(depth: Floats, colours: str = DEPTH_COLOURS) -> Bytes:
    """Depth (H, W) in [0, 1] with near = 1 as an (H, W, 3) picture: far is dark, near is bright; not stretched."""
    from matplotlib import colormaps

    return np.asarray(colormaps[colours](np.clip(depth, 0.0, 1.0), bytes=True)[..., :3])


def reduce(image: Bytes, side: int, *, keep_contrast: bool = False) -> Bytes:
    """Bring the longer side down to `side` pixels; smaller images come back as they are.

    Args:
        image: (H, W) or (H, W, 3).
        side: largest height or width in the result.
        keep_contrast: take every n-th pixel instead of averaging; averaging noise that changes sign from pixel
            to pixel would turn a difference image grey.
    """
    import cv2

    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return image
    size = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
    method = cv2.INTER_NEAREST if keep_contrast else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
