"""Patches brought to their places in the image, and the pixels that they cover."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from rgbdsod.attacks.patch.pose import Size

FAINT = 1e-3
"""Less cover than this is none: a quarter of an 8-bit level, and what rounding of coordinates can make of 0."""


class Window(NamedTuple):
    """The part of each image in which its patch can be seen; of one size, so that a batch stays a batch.

    Args:
        corner: row and column of its first pixel, int64 (B,2) on the CPU.
        size: rows and columns.
        image: (H, W).
    """

    corner: Tensor
    size: Size
    image: Size

    def cut(self, values: Tensor) -> Tensor:
        """Images (B,C,H,W) in their windows, (B,C,h,w)."""
        batch, channels = values.shape[:2]
        at = self._pixels(values.device).expand(-1, channels, -1)
        return values.flatten(2).gather(2, at).view(batch, channels, *self.size)

    def paste(self, values: Tensor, inside: Tensor) -> Tensor:
        """Images (B,C,H,W) with other values (B,C,h,w) in their windows."""
        at = self._pixels(values.device).expand(-1, values.shape[1], -1)
        return values.flatten(2).scatter(2, at, inside.flatten(2)).view(values.shape)

    def _pixels(self, device: torch.device) -> Tensor:
        """Places of the windows' pixels in the flattened images, (B,1,h w)."""
        rows = self.corner[:, :1] + torch.arange(self.size[0])
        columns = self.corner[:, 1:] + torch.arange(self.size[1])
        return (rows[:, :, None] * self.image[1] + columns[:, None]).view(len(rows), 1, -1).to(device)


def window_of(places: Tensor, canvas: Size, image: Size) -> Window:
    """Where patches can be seen.

    Args:
        places: homographies (B,3,3) from the canvas's pixels to the image's.
        canvas: (h, w).
        image: (H, W).
    """
    across, down = canvas[1], canvas[0]  # beyond the outermost pixels' centres cover falls to 0 within one pixel
    corners = torch.tensor([[-1, -1, 1], [across, -1, 1], [-1, down, 1], [across, down, 1]], dtype=torch.float64)
    seen = places.detach().double().cpu() @ corners.T  # (B,3,4)
    near = seen[:, 2:]
    near = near * near.sum(2, keepdim=True).sign()
    if not bool((near > 0).all()):  # part of a card is behind the camera
        return Window(torch.zeros(len(places), 2, dtype=torch.int64), image, image)
    points = (seen[:, :2] / seen[:, 2:]).flip(1)  # rows and columns
    most = torch.tensor(image)
    first = torch.minimum(points.amin(2).floor().long().clamp_min(0), most - 1)
    last = torch.minimum(points.amax(2).ceil().long() + 1, most)
    height, width = (last - first).clamp_min(1).amax(0).tolist()
    return Window(torch.minimum(first, most - torch.tensor([height, width])), (height, width), image)


def warp(stack: Tensor, places: Tensor, window: Window) -> Tensor:
    """Canvases as the image sees them in its window, (B,K,h,w), bilinear, 0 outside.

    Args:
        stack: (B,K,h,w).
        places: homographies (B,3,3) from the canvas's pixels to the image's.
        window: of the images.
    """
    height, width = stack.shape[-2:]
    back = _backwards(places, height, width).to(stack)[:, :, :, None, None]  # (B,3,3,1,1)
    corner = window.corner.to(stack)[:, :, None, None]
    x = corner[:, 1] + torch.arange(window.size[1], device=stack.device, dtype=stack.dtype)
    y = corner[:, 0] + torch.arange(window.size[0], device=stack.device, dtype=stack.dtype)[:, None]
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
    window = window_of(places, (alpha.shape[-2], alpha.shape[-1]), image)
    seen = warp(alpha.expand(len(places), -1, -1, -1), places, window) >= 0.5
    return window.paste(seen.new_zeros(len(places), 1, *image), seen)
