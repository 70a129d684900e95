"""C5: closed outlines, in one modality or in both."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model
from rgbdsod.types import Inputs

SHARES = (0.10, 0.14, 0.18, 0.22, 0.27, 0.32)
"""Sides of the candidates as shares of the longer side: areas of 1 to 10 %."""

SLACK = 0.02
"""How far an edge may be from a candidate's, as a share of the longer side: what lies between two sizes."""

_STEP = {"rgb": 0.05, "depth": 0.02}  # a difference of neighbours that counts one half


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossOutline(CrossDefence):
    """How closed an outline around a pixel is, in each modality.

    The candidates are upright squares of six sizes. The outline is as strong as the weakest of its four edges, each the
    mean of the steps across it. Where only one modality has it, that one is accused; where both have it, as a card in
    front of a scene does, and as many an object does, both are.

    Args:
        on: not used.
        model: not used, and not needed.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by modality; `calibrate` sets it.
    """

    name: ClassVar[str] = "cross-outline"

    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """The strongest outline of a candidate that a pixel lies in, 0 to 1."""
        longer = max(inputs["rgb"].shape[-2:])
        sides, slack = [round(share * longer) for share in SHARES], max(round(SLACK * longer), 1)
        return {name: enclosed(inputs[name], sides, _STEP[name], slack) for name in MODALITIES}


def enclosed(image: Tensor, sides: list[int], step: float, slack: int = 0) -> Tensor:
    """The strongest outline of a square that a pixel lies in, (B,1,H,W) in [0, 1].

    Args:
        image: (B,C,H,W).
        sides: of the squares in pixels; those that do not fit inside a frame of one pixel are left out.
        step: a difference of neighbours that counts one half.
        slack: pixels by which an edge may be off.
    """
    across = F.max_pool2d(_steps(image[..., 1:] - image[..., :-1], step), (1, 2 * slack + 1), 1, (0, slack))
    down = F.max_pool2d(_steps(image[..., 1:, :] - image[..., :-1, :], step), (2 * slack + 1, 1), 1, (slack, 0))
    height, width = image.shape[-2:]
    best = torch.zeros_like(image[:, :1])
    for side in sides:
        if not 1 <= side <= min(height, width) - 2:
            continue
        upright, level = F.avg_pool2d(across, (side, 1), 1), F.avg_pool2d(down, (1, side), 1)
        left, right = (upright[..., 1 : height - side, at : at + width - side - 1] for at in (0, side))
        top, bottom = (level[..., at : at + height - side - 1, 1 : width - side] for at in (0, side))
        closed = torch.minimum(torch.minimum(left, right), torch.minimum(top, bottom))
        around = F.pad(closed, (side - 1,) * 4)
        best = torch.maximum(best, F.pad(F.max_pool2d(around, side, 1), (1, 1, 1, 1)))
    return best


def _steps(difference: Tensor, half: float) -> Tensor:
    """Of the channel that differs most, saturating, (B,1,H,W)."""
    size = difference.abs().amax(1, keepdim=True)
    return size / (size + half)
