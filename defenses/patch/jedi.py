"""Jedi: patches are where the entropy is unusually high."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.blobs import close, drop_small, fill_holes
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.entropy import window_entropies
from rgbdsod.defenses.patch.grid import enlarged
from rgbdsod.defenses.patch.localiser import MaskAndFill
from rgbdsod.errors import UsageError


class Scale(NamedTuple):
    """A window of so many half base windows, with the entropies that the paper's code expects there, in bits."""

    cells: int
    patch: float
    patch_spread: float
    clean: float
    clean_spread: float


SCALES = (Scale(2, 5.32, 0.32, 2.75, 1.16), Scale(3, 6.06, 0.34, 3.19, 1.13), Scale(4, 6.47, 0.35, 3.47, 1.07))


@dataclass(frozen=True, eq=False, kw_only=True)
class Jedi(MaskAndFill):
    """Windows of three sizes whose entropy exceeds what patches have, given the image's own mean entropy.

    The paper completes the shape by a trained autoencoder; here gaps narrower than two windows are closed and holes
    filled, without training. A window of side s holds at most 2 log2(s) bits, so the constants belong to its size.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: bits above the paper's own, image-dependent threshold; 0 is the paper, and `calibrate` sets it.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.

    Raises:
        UsageError: a share outside, or windows larger than the image.

    Source: Tarchoun et al., "Jedi: Entropy-based Localization and Removal of Adversarial Patches", CVPR 2023, arXiv
        2304.10029, section 4; constants of its released code.
    """

    smallest: float = 0.005

    name: ClassVar[str] = "jedi"
    sharpness: ClassVar[float] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.smallest < 1:
            raise UsageError(f"smallest={self.smallest}; pass a share of the image, 0 up to 1")

    def evidence(self, image: Tensor) -> Tensor:
        """Bits above the threshold in the windows that cover a pixel, the largest of all scales."""
        return self._excess(image, soft=False)

    def soft_evidence(self, image: Tensor) -> Tensor:
        """The same bits with the gradient of a soft histogram."""
        return self._excess(image, soft=True)

    def shape(self, mask: Tensor, image: Tensor) -> Tensor:
        """Small blobs dropped, gaps closed, holes filled."""
        return fill_holes(close(drop_small(mask, self.smallest), _base(image)))

    def _excess(self, image: Tensor, soft: bool) -> Tensor:
        base = _base(image)
        check_window(self.name, 2 * base, image, f"resize the images to at least {2 * base} pixels")
        cell = base // 2
        entropies = window_entropies(image, cell, tuple(scale.cells for scale in SCALES), soft=soft)
        excess = [
            _covered(found - _limit(scale, found), scale.cells) for scale, found in zip(SCALES, entropies, strict=True)
        ]
        cells = torch.stack(excess).amax(0)
        return enlarged(cells, cell, (image.shape[-2], image.shape[-1]))


def _base(image: Tensor) -> int:
    """The smallest window: the even number at or below 1 % of the longer side, at least 8."""
    return max(8, max(image.shape[-2:]) // 100 // 2 * 2)


def _limit(scale: Scale, entropies: Tensor) -> Tensor:
    """The threshold in bits, (B,1,1,1): lower for images that are calmer than patches, higher for busy ones."""
    mean = entropies.mean((2, 3), keepdim=True)
    calm = 1.5 - 2 * (scale.patch - scale.clean) / scale.patch
    return scale.patch + scale.patch_spread * (calm + (mean - scale.clean) / scale.clean_spread)


def _covered(values: Tensor, cells: int) -> Tensor:
    """For each cell the largest value of the windows that cover it."""
    around = F.pad(values, (cells - 1,) * 4, value=-torch.inf)
    return F.max_pool2d(around, cells, 1)
