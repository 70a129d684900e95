"""Connected regions of masks, for a whole batch on its device."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def labels(mask: Tensor) -> Tensor:
    """A number per connected region (eight neighbours), int64 (B,1,H,W): 0 outside, below H W + 1 inside.

    Each pixel takes the largest number around it and then the number of the pixel of that number, which doubles the
    reach of each round; it ends when nothing changes.

    Args:
        mask: bool (B,1,H,W).
    """
    height, width = mask.shape[-2:]
    number = torch.arange(1, height * width + 1, device=mask.device, dtype=torch.float64).view(1, 1, height, width)
    inside = mask.to(torch.float64)
    now = number * inside
    while True:
        spread = F.max_pool2d(now, 3, 1, 1) * inside
        flat = spread.flatten(1)
        for _ in range(2):
            flat = torch.where(flat > 0, flat.gather(1, (flat.long() - 1).clamp_min(0)), flat)
        if torch.equal(after := flat.view_as(now), now):
            return now.long()
        now = after


def areas(regions: Tensor) -> Tensor:
    """The number of pixels of each pixel's region, (B,1,H,W); 0 outside."""
    flat = regions.flatten(1)
    count = flat.new_zeros(len(flat), flat.shape[1] + 1).scatter_add_(1, flat, torch.ones_like(flat))
    return (count.gather(1, flat) * (flat > 0)).view_as(regions)


def drop_small(mask: Tensor, share: float) -> Tensor:
    """Without the regions that cover less than a share of the image.

    Args:
        mask: bool (B,1,H,W).
        share: of the pixels.
    """
    return mask & (areas(labels(mask)) >= share * mask.shape[-2] * mask.shape[-1])


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Grown by a square of side 2 radius + 1."""
    return F.max_pool2d(mask.float(), 2 * radius + 1, 1, radius) > 0.5


def erode(mask: Tensor, radius: int) -> Tensor:
    """Shrunk by the same square; beyond the border counts as masked."""
    return ~dilate(~mask, radius)


def close(mask: Tensor, radius: int) -> Tensor:
    """Gaps narrower than the square filled."""
    return erode(dilate(mask, radius), radius)


def open_(mask: Tensor, radius: int) -> Tensor:
    """Parts narrower than the square dropped."""
    return dilate(erode(mask, radius), radius)


def fill_holes(mask: Tensor) -> Tensor:
    """With the outside that does not touch the border."""
    outside = labels(~mask)
    rim = torch.ones_like(mask)
    rim[..., 1:-1, 1:-1] = False
    flat = outside.flatten(1)
    open_ways = torch.zeros_like(flat, dtype=torch.bool)
    touched = torch.cat([flat.new_zeros(len(flat), 1), torch.zeros_like(flat)], 1).scatter_reduce_(
        1, flat, (rim.flatten(1) & (flat > 0)).to(flat), "amax"
    )
    open_ways = (touched.gather(1, flat) > 0) & (flat > 0)
    return ~open_ways.view_as(mask)
