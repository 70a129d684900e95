"""In which pixels an attack lives: those of the data, or those of the encoder."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rgbdsod.datasets.sample import Picture
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.errors import UsageError

AttackSpace = Literal["native", "model"]
"""Whether small images keep their size and are enlarged inside the model, or are enlarged first."""

_MARGIN = 256 / 224  # the shorter side before the centre is cut out, over the encoder's side


def pixels(data: ImageSet, positions: Iterable[int], *, side: int, space: AttackSpace = "native") -> Tensor:
    """Images of a set as the inputs of a model, (B,3,H,W) float32 in [0, 1].

    Sets whose images are all square, of one size and smaller than the encoder's are the ones that the space is about.
    In "native" they stay as they are, so a perturbation has as many pixels as the data; in "model" they are enlarged to
    `side` x `side` first (bilinear), which gives an attack more pixels than the data have. The images of other sets
    always get their shorter side resized to 256/224 of `side` (bilinear) and the central square of `side` cut out.

    Args:
        data: the images.
        positions: which of them.
        side: of the encoder, `ClipModel.side`.
        space: "native" or "model"; to be part of every result.

    Raises:
        UsageError: there is no such space.

    Source:
        The loaders of TeCoA and PMG-AFT ("native"), and of TGA-ZSR ("model").
    """
    if space not in get_args(AttackSpace):
        raise UsageError(f'no attack space "{space}"; use {" or ".join(get_args(AttackSpace))}')
    images = [_sized(data.read(position), data.common_size, side, space) for position in positions]
    stacked = torch.from_numpy(np.stack(images))
    return stacked.permute(0, 3, 1, 2).float().div(255).contiguous()


def _sized(image: Picture, common: tuple[int, int] | None, side: int, space: AttackSpace) -> Picture:
    if common is not None and common[0] == common[1] <= side:
        return image if space == "native" or common[0] == side else _resized(image, (side, side))
    height, width = image.shape[:2]
    scale = round(side * _MARGIN) / min(height, width)
    height, width = max(side, round(height * scale)), max(side, round(width * scale))
    resized = _resized(image, (height, width))
    top, left = round((height - side) / 2), round((width - side) / 2)
    return np.ascontiguousarray(resized[top : top + side, left : left + side])


def _resized(image: Picture, size: tuple[int, int]) -> Picture:
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR), np.uint8)
