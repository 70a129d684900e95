"""Shape completion: the rectangles that a predicted mask is nearly equal to."""

import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 96  # cells on the longer side, in which rectangles are tried
SHARES = (0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15, 0.18, 0.215, 0.25, 0.3, 0.35)
RATIOS = (1.0, 1.5, 1 / 1.5)
_ROUNDS = 15
_CELL = 0.5


@torch.no_grad()
def complete_shapes(mask: Tensor) -> Tensor:
    """A mask with every rectangle whose Hamming distance to it is below a share of the rectangle's area.

    The share is the smallest of 1 - 0.9 x 0.7^k, k from 0 to 15, at which there is such a rectangle. A patch that hides
    a part of its mask is so masked whole. Rectangles have sides of 4 to 35 % of the longer side in three ratios; all
    places of all of them are compared at once, through sums over windows.

    Args:
        mask: bool (B,1,H,W).

    Source: Liu et al., "Segment and Complete", CVPR 2022, arXiv 2112.04532, section 3.3; the shares of its code.
    """
    height, width = mask.shape[-2:]
    scale = min(GRID / max(height, width), 1.0)
    rows, columns = (max(round(side * scale), 1) for side in (height, width))
    cells = (F.adaptive_avg_pool2d(mask.float(), (rows, columns)) >= _CELL).float()
    total = cells.sum((2, 3), keepdim=True)
    sides = _rectangles(max(rows, columns), rows, columns)
    integral = F.pad(cells, (1, 0, 1, 0)).cumsum(2).cumsum(3)
    distances = [_distance(integral, total, side) for side in sides]
    nearest = torch.stack([distance.flatten(1).amin(1) for distance in distances]).amin(0)
    limits = 1 - 0.9 * 0.7 ** torch.arange(_ROUNDS + 1, device=mask.device)
    limit = torch.where(nearest[:, None] < limits, limits, torch.inf).amin(1)
    limit = torch.where(limit.isfinite(), limit, 0.0).view(-1, 1, 1, 1)
    whole = cells
    for side, distance in zip(sides, distances, strict=True):
        whole = torch.maximum(whole, _painted((distance < limit).float(), side))
    return mask | (F.interpolate(whole, (height, width), mode="nearest") > _CELL)


def _rectangles(longer: int, rows: int, columns: int) -> list[tuple[int, int]]:
    """Sides (down, across) in cells; none larger than the grid."""
    found = set()
    for share in SHARES:
        for ratio in RATIOS:
            down, across = (max(round(longer * share * part), 1) for part in (ratio**0.5, ratio**-0.5))
            if down <= rows and across <= columns:
                found.add((down, across))
    return sorted(found) or [(1, 1)]


def _distance(integral: Tensor, total: Tensor, side: tuple[int, int]) -> Tensor:
    """The Hamming distance of the mask, as its integral, to the rectangle at each place, over the rectangle's area."""
    down, across = side
    rows = integral[..., down:, :] - integral[..., :-down, :]
    inside = rows[..., across:] - rows[..., :-across]
    return (total + down * across - 2 * inside) / (down * across)


def _painted(places: Tensor, side: tuple[int, int]) -> Tensor:
    """The union of the rectangles at the marked places; a row first, then columns of it."""
    down, across = side
    wide = F.max_pool2d(F.pad(places, (across - 1, across - 1)), (1, across), 1)
    return F.max_pool2d(F.pad(wide, (0, 0, down - 1, down - 1)), (down, 1), 1)
