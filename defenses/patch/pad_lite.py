"""After PAD, without its segmenter: patches share little with their neighbours and change under recompression."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.blobs import close, open_
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.grid import luminance
from rgbdsod.defenses.patch.jpeg import Jpeg
from rgbdsod.defenses.patch.localiser import MaskAndFill
from rgbdsod.defenses.patch.superpixels import shares, superpixels
from rgbdsod.errors import UsageError

_LEVELS = 8
_KERNELS = 80  # the side over this is the smallest kernel
_TINY = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class PadLite(MaskAndFill):
    """Low mutual information with the four neighbouring windows, and change under JPEG, half and half.

    The released method then asks a large pretrained segmenter for regions; here superpixels stand for it, so this is
    not PAD. The paper masks above a percentile of each image, which always masks something; `calibrate` also sets how
    far above.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of the evidence above the image's percentile; 0 is the paper.
        fill: what replaces the masked pixels.
        window: side in pixels of the windows; None: the longer side over 16, at least 8.
        percentile: of the evidence in each image, 0 to 1.
        quality: of the recompression.
        overlap: superpixels masked by at least this share become part of the mask.

    Raises:
        UsageError: a percentile, overlap or quality outside, or a window of which not two fit into the image.

    Source: after Jing et al., "PAD: Patch-Agnostic Defense against Adversarial Patch Attacks", CVPR 2024, section 3;
        percentile and kernels of its released code.
    """

    window: int | None = None
    percentile: float = 0.8
    quality: int = 75
    overlap: float = 0.5

    name: ClassVar[str] = "pad-lite"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.percentile < 1 and 0 < self.overlap <= 1 and (self.window is None or self.window >= 2)):
            raise UsageError(
                f"percentile={self.percentile}, overlap={self.overlap}, window={self.window}; "
                "pass shares of 1 and a window of 2 pixels or more"
            )
        Jpeg(quality=self.quality)

    def evidence(self, image: Tensor) -> Tensor:
        """Half foreignness and half change, each stretched to [0, 1] in the image, above the image's percentile."""
        return self._above(image, Jpeg(quality=self.quality).filter(image))

    def soft_evidence(self, image: Tensor) -> Tensor:
        """The same with a differentiable codec; the mutual information counts as a constant."""
        return self._above(image, Jpeg(quality=self.quality).filter_softly(image))

    def _above(self, image: Tensor, coded: Tensor) -> Tensor:
        window = self.window or max(8, max(image.shape[-2:]) // 16)
        check_window(self.name, 2 * window, image, "pass window= at most half the image's shorter side")
        shared = _shared_information(luminance(image), window)
        foreign = F.interpolate(-shared, image.shape[-2:], mode="bilinear")
        change = (coded - image).abs().mean(1, keepdim=True)
        change = F.avg_pool2d(change, window // 2 * 2 + 1, 1, window // 2)
        both = (_stretched(foreign) + _stretched(change)) / 2
        at = int(self.percentile * (both[0].numel() - 1)) + 1
        return both - both.detach().flatten(1).kthvalue(at).values.view(-1, 1, 1, 1)

    def shape(self, mask: Tensor, image: Tensor) -> Tensor:
        """Opened, closed, opened; then the superpixels that it covers by half."""
        unit = max(max(image.shape[-2:]) // _KERNELS, 1)
        mask = open_(close(open_(mask, unit), unit // 2 or 1), (3 * unit) // 2)
        return shares(superpixels(image, 4 * unit), mask) >= self.overlap


def _shared_information(grey: Tensor, window: int) -> Tensor:
    """Mean mutual information in bits of each window with those beside it, pixel by pixel, (B,1,h,w)."""
    levels = (grey.detach() * _LEVELS).long().clamp_(0, _LEVELS - 1)[:, 0]
    blocks = levels.unfold(1, window, window).unfold(2, window, window).flatten(3)
    total = torch.zeros(blocks.shape[:3], device=grey.device)
    count = torch.zeros_like(total)
    for axis in (1, 2):
        here, there = (blocks.narrow(axis, start, blocks.shape[axis] - 1) for start in (0, 1))
        shared = _mutual(here, there)
        for start in (0, 1):
            total.narrow(axis, start, shared.shape[axis]).add_(shared)
            count.narrow(axis, start, shared.shape[axis]).add_(1)
    return (total / count)[:, None].to(grey)


def _mutual(here: Tensor, there: Tensor) -> Tensor:
    """Mutual information in bits along the last axis."""
    pairs = here * _LEVELS + there
    joint = torch.zeros(*pairs.shape[:-1], _LEVELS**2, device=pairs.device)
    joint = joint.scatter_add_(-1, pairs, torch.ones_like(pairs, dtype=joint.dtype)) / pairs.shape[-1]
    table = joint.view(*pairs.shape[:-1], _LEVELS, _LEVELS)
    return _bits(table.sum(-1)) + _bits(table.sum(-2)) - _bits(joint)


def _bits(share: Tensor) -> Tensor:
    bits: Tensor = -torch.xlogy(share, share).sum(-1) / math.log(2)
    return bits


def _stretched(values: Tensor) -> Tensor:
    low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    return (values - low) / (high - low).clamp_min(_TINY)
