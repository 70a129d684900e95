"""What any localiser must beat: an edge map and an entropy map. They find stickers as well as attacks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.cross.streams import window_mean
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.entropy import window_entropies
from rgbdsod.defenses.patch.lgs import edges
from rgbdsod.defenses.patch.localiser import MaskAndFill


@dataclass(frozen=True, eq=False, kw_only=True)
class Energy(MaskAndFill):
    """Mean gradient magnitude in windows of 11 % of the side.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of the mean; `calibrate` sets it, and the default masks nothing.
        fill: what replaces the masked pixels.
    """

    threshold: float = 1.0

    name: ClassVar[str] = "energy"

    def evidence(self, image: Tensor) -> Tensor:
        """The windowed mean of the gradient, stretched to [0, 1] in each image."""
        return window_mean(edges(image), round(0.11 * max(image.shape[-2:])))


@dataclass(frozen=True, eq=False, kw_only=True)
class Entropy(MaskAndFill):
    """Entropy of 8-bit luminance in windows of 8 pixels, in bits.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: in bits; `calibrate` sets it, and the default, the most that a window can hold, masks nothing.
        fill: what replaces the masked pixels.

    Raises:
        UsageError: images smaller than a window.
    """

    threshold: float = 6.0

    name: ClassVar[str] = "entropy"
    sharpness: ClassVar[float] = 10.0

    def evidence(self, image: Tensor) -> Tensor:
        """Bits in the windows that cover a pixel, averaged."""
        return _averaged(image, soft=False)

    def soft_evidence(self, image: Tensor) -> Tensor:
        """The same bits with the gradient of a soft histogram."""
        return _averaged(image, soft=True)


def _averaged(image: Tensor, *, soft: bool) -> Tensor:
    check_window("entropy", 8, image, "resize the images to at least 8 pixels")
    values = window_entropies(image, 4, (2,), soft=soft)[0]
    padded, counted = (F.pad(part, (1, 1, 1, 1)) for part in (values, torch.ones_like(values)))
    cells = F.avg_pool2d(padded, 2, 1) / F.avg_pool2d(counted, 2, 1)
    return F.interpolate(cells, image.shape[-2:], mode="bilinear")
