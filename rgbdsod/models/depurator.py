"""The depth depurator unit of D3Net: the exact 8-bit rule by which it keeps or drops depth."""

from fractions import Fraction
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

THRESHOLD = Fraction(15, 100)
"""Mean distance of the RgbdNet and DepthNet maps from which on depth is dropped."""


class Depurated(NamedTuple):
    """What the unit decided: the maps (B,H,W) uint8, whether depth was kept (B,) bool, and the distance (B,)."""

    maps: Tensor
    keep_depth: Tensor
    distance: Tensor


def depurate(s_rgb: Tensor, s_rgbd: Tensor, s_depth: Tensor, size: tuple[int, int]) -> Depurated:
    """Choose, image by image, the map of RgbdNet or of RgbNet.

    All maps are resized and truncated to 8 bit first, which can turn the decision near the threshold either way.

    Args:
        s_rgb: probabilities of RgbNet, (B,1,h,w) in [0, 1].
        s_rgbd: probabilities of RgbdNet, the same shape.
        s_depth: probabilities of DepthNet, the same shape.
        size: height and width of the result, those of the ground truth (or of the original image).

    Returns:
        The chosen maps (B,H,W), uint8; whether depth was kept, (B,) bool; the mean distance of the 8-bit maps of
        RgbdNet and DepthNet, (B,) in [0, 1].

    Source:
        Fan et al., D3Net (TNNLS 2021), section IV-C: the depth depurator unit.
    """
    rgb, rgbd, depth = (_eight_bit(s, size) for s in (s_rgb, s_rgbd, s_depth))
    total = (rgbd.int() - depth.int()).abs().sum(dim=(1, 2))
    largest = 255 * size[0] * size[1]
    # In whole numbers, so that a distance of exactly the threshold is dropped, whatever the size.
    keep = total * THRESHOLD.denominator < largest * THRESHOLD.numerator
    return Depurated(torch.where(keep[:, None, None], rgbd, rgb), keep, total / largest)


def _eight_bit(probability: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B,H,W) in whole levels, truncated, of probabilities (B,1,h,w)."""
    resized = F.interpolate(probability.float(), size=size, mode="bilinear", align_corners=False)
    return (resized[:, 0] * 255).to(torch.uint8)
