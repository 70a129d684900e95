"""The door of the saliency measures: maps and masks in any accepted form become pairs of uint8 tensors."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.errors import UsageError

Map: TypeAlias = NDArray[np.uint8] | Tensor
"""One saliency map or mask: uint8, (H, W)."""

Maps: TypeAlias = Map | Sequence[Map]
"""One map (H, W), a batch (N, H, W) or (N, 1, H, W), or a list or tuple of maps of any sizes."""

Pair: TypeAlias = tuple[Tensor, Tensor]
"""A map and its mask: uint8, (H, W), contiguous, on one device."""


def pairs(preds: Maps, masks: Maps) -> list[Pair]:
    """Check maps and masks and pair them.

    Args:
        preds: saliency maps, uint8 levels 0..255.
        masks: their masks, uint8; above 128 is foreground.

    Returns:
        One (map, mask) per image. CUDA maps stay where they are and their masks join them; anything else is on the CPU.

    Raises:
        UsageError: no maps, another number of masks, another type than uint8, or a map that is not of its mask's size.
    """
    maps, truths = _singles(preds, "map"), _singles(masks, "mask")
    if not maps:
        raise UsageError("no maps were given; pass at least one map and its mask")
    if len(maps) != len(truths):
        raise UsageError(f"{len(maps)} maps but {len(truths)} masks; pass one mask for each map, in the same order")
    for number, (pred, mask) in enumerate(zip(maps, truths, strict=True)):
        if pred.shape != mask.shape:
            raise UsageError(
                f"map {number} is {_size(pred)} but its mask is {_size(mask)} (height x width); "
                "resize the map to the mask's size before it is rounded to uint8"
            )
    return [(pred, mask.to(pred.device)) for pred, mask in zip(maps, truths, strict=True)]


def _singles(maps: Maps, what: str) -> list[Tensor]:
    if isinstance(maps, np.ndarray | Tensor):
        items = [maps] if maps.ndim <= 2 else list(maps)
    elif isinstance(maps, list | tuple):
        items = list(maps)
    else:
        raise UsageError(f"{what}s came as {type(maps).__name__}; pass uint8 arrays or tensors, or a list of them")
    return [_single(item, f"{what} {number}") for number, item in enumerate(items)]


def _single(item: Any, name: str) -> Tensor:
    if not isinstance(item, np.ndarray | Tensor):
        raise UsageError(f"{name} is a {type(item).__name__}; pass a uint8 array or tensor (H, W)")
    if item.dtype not in (np.dtype(np.uint8), torch.uint8):
        raise UsageError(f"{name} is {item.dtype}; pass uint8 levels: {_recipe(item)}")
    if item.ndim == 3 and item.shape[0] == 1:
        item = item[0]
    if item.ndim != 2 or 0 in item.shape:
        raise UsageError(f"{name} has shape {tuple(item.shape)}; expected (height, width), at least one pixel")
    if isinstance(item, np.ndarray):
        # PyTorch neither takes negative strides nor likes memory it may not write to (images from Pillow).
        return torch.from_numpy(np.require(item, requirements=["C", "W"]))
    tensor: Tensor = item if item.is_cuda else item.cpu()
    return tensor.contiguous()


def _recipe(item: Map) -> str:
    """How to turn an array of another type into levels."""
    if item.dtype in (np.dtype(np.bool_), torch.bool):
        return "255 where it is true, 0 elsewhere"
    return "a float map in [0, 1] is (255 * map).round() as uint8"


def _size(single: Tensor) -> str:
    return "x".join(str(side) for side in single.shape)
