"""Patches brought to their places in the image, and the pixels that they cover."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from rgbdsod.attacks.patch.pose import Size

FAINT = 1e-3
"""Less cover than this is none: a quarter of an 8-bit level, and what rounding of coordinates can make of 0."""


def warp(stack: Tensor, places: Tensor, image: Size) -> Tensor:
    """Canvases as the image sees them, (B,K,H,W), bilinear, 0 outside.

    Args:
        stack: (B,K,h,w).
        places: homographies (B,3,3) from the canvas's pixels to the image's.
        image: (H, W).
    """
    height, width = stack.shape[-2:]
    back = _backwards(places, height, width).to(stack)[:, :, :, None, None]  # (B,3,3,1,1)
    x = torch.arange(image[1], device=stack.device, dtype=stack.dtype)
    y = torch.arange(image[0], device=stack.device, dtype=stack.dtype)[:, None]
    across, down, depth = (back[:, row, 0] * x + back[:, row, 1] * y + back[:, row, 2] for row in range(3))
    behind = depth <= torch.finfo(stack.dtype).eps
    depth = depth.masked_fill(behind, 1.0)
    grid = torch.stack([(2 * across / depth + 1) / width - 1, (2 * down / depth + 1) / height - 1], -1)
    grid = grid.masked_fill(behind[..., None], -3.0)
    seen: Tensor = grid_sample(stack, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return seen


def _backwards(places: Tensor, height: int, width: int) -> Tensor:
    """Homographies from the image to the canvas, with the third coordinate positive where the canvas's centre lies."""
    centre = places.new_tensor([(width - 1) / 2, (height - 1) / 2, 1.0])
    seen = places @ centre
    back = torch.linalg.inv(places)
    sign: Tensor = (back[:, 2:] @ seen[:, :, None] * seen[:, 2:, None]).sign()
    found: Tensor = back * sign
    return found


def footprint(alpha: Tensor, places: Tensor, image: Size) -> Tensor:
    """The pixels that patches cover at least to one half, bool (B,1,H,W).

    Args:
        alpha: (B,1,h,w) or (1,1,h,w) in [0, 1].
        places: homographies (B,3,3).
        image: (H, W).
    """
    return warp(alpha.expand(len(places), -1, -1, -1), places, image) >= 0.5
