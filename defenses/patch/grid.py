"""From windows on a grid to pixels."""

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
    for axis in (2, 3):
        pixels = torch.arange(size[axis - 2], device=values.device)
        last = pixels // stride
        first = torch.where(pixels % stride < window - stride, last - 1, last)
        top = values.shape[axis] - 1
        near, before = (values.index_select(axis, at.clamp(0, top)) for at in (last, first))
        values = torch.maximum(near, before)
    return values


def luminance(image: Tensor) -> Tensor:
    """(B,1,H,W) of (B,3,H,W) by ITU-R BT.601, or of one channel itself."""
    if image.shape[1] == 1:
        return image
    return 0.299 * image[:, :1] + 0.587 * image[:, 1:2] + 0.114 * image[:, 2:]
