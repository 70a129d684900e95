"""The map that an attack shall paint."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.datasets import read_map
from rgbdsod.errors import UsageError

Target = str | Path | NDArray[np.uint8]
"""A picture's path, or uint8 (H, W)."""


def read_target(target: Target) -> NDArray[np.uint8]:
    """The map to paint, uint8 (H, W).

    Raises:
        UsageError: it is no map. DataError: the picture cannot be read.
    """
    if not isinstance(target, np.ndarray):
        return read_map(target)
    if target.dtype != np.uint8 or target.ndim != 2:
        raise UsageError(f"target is {target.dtype} {target.shape}; pass a uint8 map (H, W)")
    return target


def target_maps(target: Target, masks: Tensor) -> Tensor:
    """The map to paint at the masks' size, (B,1,H,W) in [0, 1]."""
    height, width = masks.shape[-2:]
    resized = cv2.resize(read_target(target), (width, height), interpolation=cv2.INTER_NEAREST)
    return (torch.from_numpy(resized).to(masks) / 255).expand_as(masks)
