"""A small FCOS for images of 128 x 128: a victim that trains in a minute."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator

from rgbdsod.models.detectors.adapter import TorchvisionDetector

CLASSES = ("disc", "square", "triangle")
SIDE = 128

_WIDTHS = (16, 32, 64, 64, 64)
_GROUPS = 8
_STRIDES = (8, 16, 32)


def tiny_fcos(classes: Sequence[str] | None = None) -> TorchvisionDetector:
    """An untrained small FCOS.

    Args:
        classes: names; None: the generated shapes'.
    """
    names = CLASSES if classes is None else tuple(classes)
    anchors = AnchorGenerator(tuple((stride,) for stride in _STRIDES), ((1.0,),) * len(_STRIDES))
    network = FCOS(_Trunk(), len(names), min_size=SIDE, max_size=SIDE, anchor_generator=anchors, detections_per_img=50)
    return TorchvisionDetector(network, names, family="fcos", name="fcos.tiny", weights="random")


class _Trunk(nn.Module):
    """Five convolutions, each of which halves the size; the last three are the levels, coarse added to fine."""

    out_channels = _WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *_WIDTHS)
        self.stages = nn.ModuleList(_halving(*pair) for pair in pairwise(widths))

    def forward(self, images: Tensor) -> "OrderedDict[str, Tensor]":
        levels, x = [], images
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        fine, middle, coarse = levels[-3:]
        middle = middle + F.interpolate(coarse, scale_factor=2)
        fine = fine + F.interpolate(middle, scale_factor=2)
        return OrderedDict(zip("012", (fine, middle, coarse), strict=True))


def _halving(channels: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, wide, 3, 2, 1), nn.GroupNorm(_GROUPS, wide), nn.ReLU())
