"""From windows on a grid to pixels."""

from math import gcd

import torch
from torch import Tensor


def covering_max(values: Tensor, window: int, stride: int, size: tuple[int, int]) -> Tensor:
    """For each pixel the largest value of the windows that cover it.

    Args:
        values: of the windows, (B,1,h,w), the first at the corner; -inf is fine.
        window: side in pixels, at most twice the stride.
        stride: from window to window.
        size: (H, W); pixels beyond the last window take its value.
    """
    return enlarged(covering_cells(values, window, stride, size), gcd(window, stride), size)


def covering_cells(values: Tensor, window: int, stride: int, size: tuple[int, int]) -> Tensor:
    """The same for the largest squares whose pixels are covered by the same windows; see `covering_max`."""
    cell = gcd(window, stride)
    for axis in (2, 3):
        cells = torch.arange(-(-size[axis - 2] // cell), device=values.device)
        last = cells // (stride // cell)
        first = torch.where(cells % (stride // cell) < (window - stride) // cell, last - 1, last)
        top = values.shape[axis] - 1
        near, before = (values.index_select(axis, at.clamp(0, top)) for at in (last, first))
        values = torch.maximum(near, before)
    return values


def enlarged(cells: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """Cells as squares of so many pixels, (B,1,H,W); pixels beyond the last cell take its value."""
    rows, columns = cells.shape[-2:]
    pixels = cells[..., None, :, None].expand(-1, -1, -1, side, -1, side)
    image = pixels.reshape(*cells.shape[:2], rows * side, columns * side)[..., : size[0], : size[1]]
    missing = size[0] - image.shape[-2], size[1] - image.shape[-1]
    if any(part > 0 for part in missing):
        image = torch.nn.functional.pad(image, (0, max(missing[1], 0), 0, max(missing[0], 0)), mode="replicate")
    return image


def luminance(image: Tensor) -> Tensor:
    """(B,1,H,W) of (B,3,H,W) by ITU-R BT.601, or of one channel itself."""
    if image.shape[1] == 1:
        return image
    return (0.299 * image[:, :1]).add(image[:, 1:2], alpha=0.587).add(image[:, 2:], alpha=0.114)
