"""A small network that marks patches."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 96  # the longer side that images are brought to
_MULTIPLE = 8


class Segmenter(nn.Module):
    """A U-Net of three levels below the first, with group normalisation, so that a batch is its images.

    What the head reads is not rectified: a head of rectified features can learn to see a patch where all of them are 0,
    and then says one and the same of every patch.

    Args:
        width: filters of the first level; each level has twice as many.
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        sizes = [width << level for level in range(4)]
        self.down = nn.ModuleList(_block(before, after) for before, after in zip([3, *sizes], sizes, strict=False))
        pairs = enumerate(pairwise(sizes))
        self.up = nn.ModuleList(_block(low + high, high, rectified=level > 0) for level, (high, low) in pairs)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B,1,H,W) of (B,3,H,W) in [0, 1], sides multiples of 8."""
        kept = []
        now = image * 2 - 1
        for level, block in enumerate(self.down):
            now = block(F.max_pool2d(now, 2) if level else now)
            kept.append(now)
        for level in reversed(range(len(self.up))):
            larger = F.interpolate(now, scale_factor=2.0, mode="bilinear")
            now = self.up[level](torch.cat([larger, kept[level]], 1))
        logits: Tensor = self.head(now)
        return logits


def shrunk(image: Tensor) -> Tensor:
    """The image at the size that the network works at: 96 pixels on its longer side, multiples of 8."""
    height, width = image.shape[-2:]
    scale = SIDE / max(height, width)
    rows, columns = (max(round(side * scale / _MULTIPLE), 2) * _MULTIPLE for side in (height, width))
    return F.interpolate(image, (rows, columns), mode="bilinear", antialias=True)


def _block(before: int, after: int, *, rectified: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.GroupNorm(4, after), nn.ReLU()]
    return nn.Sequential(*(layers if rectified else layers[:-1]))
