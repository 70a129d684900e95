"""Shannon entropy of windows, for all windows of a batch at once."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.attacks import Bpda
from rgbdsod.defenses.patch.grid import luminance
from rgbdsod.defenses.patch.planes import portions

LEVELS = 256
_SOFT_LEVELS = 64


def window_entropies(image: Tensor, cell: int, windows: tuple[int, ...], *, soft: bool = False) -> list[Tensor]:
    """Entropies of 8-bit luminance in square windows at each cell of a grid.

    A window is a block of cells, so its histogram is the sum of theirs: each pixel is counted once.

    Args:
        image: (B,C,H,W) in [0, 1].
        cell: side in pixels; also the distance from window to window. Pixels beyond the last whole cell are left out.
        windows: sides in cells.
        soft: with the gradient of a histogram of triangular kernels of width 1/64.

    Returns:
        For each window side k the entropies in bits, (B, 1, cells down - k + 1, cells across - k + 1).
    """
    grey = luminance(image)
    height, width = (side // cell * cell for side in grey.shape[-2:])
    grey = grey[..., :height, :width]
    exact = _exact(grey.detach(), cell, windows)
    if not soft:
        return exact
    smooth = F.avg_pool2d(_soft_levels(grey), cell) * cell**2
    guides = [_entropy(_sums(smooth, side), (cell * side) ** 2) for side in windows]
    return [_with_gradient(value, guide) for value, guide in zip(exact, guides, strict=True)]


def _exact(grey: Tensor, cell: int, windows: tuple[int, ...]) -> list[Tensor]:
    found = []
    for part in portions(grey, LEVELS // cell**2):
        counts = _histograms(part, cell)
        found.append([_entropy(_sums(counts, side), (cell * side) ** 2) for side in windows])
    return [torch.cat(scale) for scale in zip(*found, strict=True)]


def _with_gradient(value: Tensor, guide: Tensor) -> Tensor:
    joined: Tensor = Bpda(lambda _: value)(guide)
    return joined


def _histograms(grey: Tensor, cell: int) -> Tensor:
    """Counts of the 256 levels in each cell, (B,256,h,w)."""
    batch, _, height, width = grey.shape
    rows, columns = height // cell, width // cell
    level = (grey * (LEVELS - 1)).round().clamp(0, LEVELS - 1).long()
    at = torch.arange(rows * columns, device=grey.device).view(rows, columns)
    at = at.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
    index = (level[:, 0] * (rows * columns) + at).flatten(1)
    counts = grey.new_zeros(batch, LEVELS * rows * columns)
    return counts.scatter_add_(1, index, torch.ones_like(index, dtype=grey.dtype)).view(batch, LEVELS, rows, columns)


def _soft_levels(grey: Tensor) -> Tensor:
    """Each pixel shared by the two nearest of 64 levels, (B,64,H,W)."""
    centres = torch.linspace(0, 1, _SOFT_LEVELS, device=grey.device, dtype=grey.dtype).view(1, -1, 1, 1)
    return (1 - (grey - centres).abs() * (_SOFT_LEVELS - 1)).clamp_min(0)


def _sums(counts: Tensor, side: int) -> Tensor:
    """Sums over blocks of cells; rows first, then columns."""
    down = counts.shape[-2] - side + 1
    rows = sum((counts[..., y : y + down, :] for y in range(1, side)), start=counts[..., :down, :])
    across = counts.shape[-1] - side + 1
    return sum((rows[..., x : x + across] for x in range(1, side)), start=rows[..., :across])


def _entropy(counts: Tensor, total: int) -> Tensor:
    """In bits, (B,1,h,w), of counts (B,K,h,w) that add up to a total."""
    safe = counts.clamp_min(1e-6)
    bits = (
        torch.log2(torch.tensor(float(total), device=counts.device))
        - (counts * safe.log2()).sum(1, keepdim=True) / total
    )
    return bits.clamp_min(0)
