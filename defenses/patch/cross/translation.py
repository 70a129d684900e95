"""C2: where depth is not what RGB lets one expect."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.cross.streams import Model, window_mean
from rgbdsod.defenses.patch.learned.segmenter import Segmenter, shrunk
from rgbdsod.defenses.patch.learned.weights import load_weights
from rgbdsod.types import Inputs

SPREAD = (-3.0, 2.0)
"""The logarithms of the spread that the network may claim, in standard deviations of the image's depth."""

_REWEIGHTINGS = 2
_TINY = 1e-6


class Translator(Segmenter):
    """The segmenter's U-Net with two outputs: what depth to expect of RGB, and the logarithm of how far it may be off.

    Args:
        width: filters of the first level; each level has twice as many.
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__(width)
        self.head = nn.Conv2d(width, 2, 1)

    def expected(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the spread of normalised depth, (B,1,H,W) each, of RGB (B,3,H,W) in [0, 1]."""
        found = F.interpolate(self(shrunk(rgb)), rgb.shape[-2:], mode="bilinear")
        return found[:, :1], found[:, 1:].clamp(*SPREAD).exp()


def normalised(depth: Tensor) -> Tensor:
    """Depth with mean 0 and standard deviation 1 in each image; flat depth is 0."""
    centred = depth - depth.mean((2, 3), keepdim=True)
    return centred / centred.square().mean((2, 3), keepdim=True).sqrt().clamp_min(1e-3)


def surprise(depth: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """How far depth is from what was expected, in spreads, (B,1,H,W).

    What was expected is first fitted to each image by a scale and an offset, least squares reweighted twice so that a
    patch does not draw the fit to itself: a photograph tells what is near, and seldom how near.

    Args:
        depth: normalised, (B,1,H,W).
        mean: expected.
        spread: of it, above 0.
    """
    weight = 1 / spread.detach().square()
    off = torch.zeros_like(depth)
    for _ in range(1 + _REWEIGHTINGS):
        with torch.no_grad():
            scale, offset = _fitted(mean, depth, weight / off.clamp_min(1))
        off = (depth - scale * mean - offset).abs() / spread
    return off


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossTranslation(CrossDefence):
    """Depth that RGB does not let one expect, by a small network that translates one into the other.

    It cannot tell which of the two is wrong and accuses both. One pass of its own network, none of the model.

    Args:
        on: not used.
        model: not used, and not needed.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by modality; `calibrate` sets it.
        window: of the mean of the surprise, as a share of the longer side.
        weights: a safetensors file; None: the built-in one, of generated scenes and photographs of potholes.

    Raises:
        WeightsError: no such file, or one that does not fit.
    """

    window: float = 0.08
    weights: str | Path | None = None
    network: Translator = field(init=False, repr=False)

    name: ClassVar[str] = "cross-translation"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "network", load_weights(Translator(), self.name, self.weights))

    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """The mean surprise around each pixel, once for each modality."""
        mean, spread = self.network.to(inputs["rgb"].device).expected(inputs["rgb"])
        off = surprise(normalised(inputs["depth"]), mean, spread)
        found = window_mean(off, round(self.window * max(off.shape[-2:])))
        return {"rgb": found, "depth": found}


def _fitted(x: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and offset that bring x to y, least squares, (B,1,1,1) each."""
    total = weight.sum((2, 3), keepdim=True).clamp_min(_TINY)
    over, under = ((weight * part).sum((2, 3), keepdim=True) / total for part in (x, y))
    across = (weight * (x - over) * (y - under)).sum((2, 3), keepdim=True) / total
    scale = across / ((weight * (x - over).square()).sum((2, 3), keepdim=True) / total).clamp_min(_TINY)
    return scale, under - scale * over
