"""The door of the measures of images: arrays or tensors become float64 arrays (N,C,H,W)."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray

Pictures: TypeAlias = NDArray[np.floating[Any]] | Tensor
"""Images (N,3,H,W) or (N,1,H,W), float in [0, 1]."""


def pictures(images: Pictures, smallest: int) -> FloatArray:
    """The images in float64.

    Args:
        images: (N,C,H,W).
        smallest: number of pixels that each side must have.

    Raises:
        UsageError: another shape, type or range.
    """
    found = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if found.ndim != 4 or found.shape[1] not in (1, 3) or len(found) == 0 or min(found.shape[2:]) < smallest:
        raise UsageError(
            f"images of shape {found.shape}; pass (N,3,H,W) or (N,1,H,W) of at least {smallest}x{smallest} pixels"
        )
    if not np.issubdtype(found.dtype, np.floating):
        raise UsageError(f"images of type {found.dtype}; pass floats in [0, 1]")
    if not (found.min() >= 0 and found.max() <= 1):  # NaN fails too
        raise UsageError(f"images with values from {found.min():.2f} to {found.max():.2f}; pass floats in [0, 1]")
    return found.astype(np.float64)
