"""Superpixels of a whole batch: k-means on colour and place, each pixel against the nine nearest centres."""

import torch
import torch.nn.functional as F
from torch import Tensor

_ROUNDS = 5


@torch.no_grad()
def superpixels(image: Tensor, side: int, compactness: float = 0.2) -> Tensor:
    """A number per pixel, int64 (B,1,H,W), below the number of grid cells.

    Args:
        image: (B,C,H,W) in [0, 1].
        side: of the grid cells that the centres start in, in pixels.
        compactness: what one cell's distance weighs beside a colour difference of 1.

    Source: Achanta et al., "SLIC Superpixels", TPAMI 2012; here in RGB and without its step that joins fragments.
    """
    height, width = image.shape[-2:]
    rows, columns = max(height // side, 1), max(width // side, 1)
    place = torch.stack(torch.meshgrid(
        torch.arange(height, device=image.device), torch.arange(width, device=image.device), indexing="ij"
    )).to(image) * (compactness / side)  # fmt: skip
    features = torch.cat([image, place.expand(len(image), -1, -1, -1)], 1)
    centres = F.adaptive_avg_pool2d(features, (rows, columns))
    home = (
        torch.arange(height, device=image.device) * rows // height,
        torch.arange(width, device=image.device) * columns // width,
    )
    number = torch.zeros(1)
    for _ in range(_ROUNDS):
        number = _nearest(features, centres, home)
        centres = _means(features, number, centres)
    return number


def _nearest(features: Tensor, centres: Tensor, home: tuple[Tensor, Tensor]) -> Tensor:
    rows, columns = centres.shape[-2:]
    best = torch.full_like(features[:, :1], torch.inf)
    number = torch.zeros_like(best, dtype=torch.long)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            y, x = (home[0] + down).clamp(0, rows - 1), (home[1] + across).clamp(0, columns - 1)
            centre = centres.index_select(2, y).index_select(3, x)
            distance = (features - centre).square().sum(1, keepdim=True)
            nearer = distance < best
            best = torch.where(nearer, distance, best)
            number = torch.where(nearer, y[:, None] * columns + x, number)
    return number


def _means(features: Tensor, number: Tensor, centres: Tensor) -> Tensor:
    channels = features.shape[1]
    flat = number.flatten(1)[:, None].expand(-1, channels, -1)
    sums = torch.zeros_like(centres).flatten(2).scatter_add_(2, flat, features.flatten(2))
    count = torch.zeros_like(centres).flatten(2).scatter_add_(2, flat, torch.ones_like(features).flatten(2))
    return torch.where(count > 0, sums / count.clamp_min(1), centres.flatten(2)).view_as(centres)


def shares(number: Tensor, mask: Tensor) -> Tensor:
    """For each pixel, which share of its superpixel is masked, (B,1,H,W)."""
    flat, hit = number.flatten(1), mask.flatten(1).float()
    size = hit.new_zeros(len(flat), int(flat.max()) + 1)
    total = size.scatter_add(1, flat, torch.ones_like(hit))
    masked = size.scatter_add(1, flat, hit)
    return (masked / total.clamp_min(1)).gather(1, flat).view_as(mask)
