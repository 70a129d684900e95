"""Segment and complete: a trained segmenter, and rectangles that its mask is nearly equal to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.learned.completion import complete_shapes
from rgbdsod.defenses.patch.learned.segmenter import Segmenter, shrunk
from rgbdsod.defenses.patch.learned.weights import load_weights
from rgbdsod.defenses.patch.localiser import MaskAndFill


@dataclass(frozen=True, eq=False, kw_only=True)
class Sac(MaskAndFill):
    """A small U-Net trained on patches of several families, and shape completion.

    The built-in weights were trained for minutes on generated scenes and a few photographs: see the record beside them.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of the probability.
        fill: what replaces the masked pixels.
        complete: whether shapes are completed.
        weights: a safetensors file; None: the built-in one.

    Raises:
        WeightsError: no such file, or one that does not fit.

    Source: Liu et al., "Segment and Complete", CVPR 2022, arXiv 2112.04532.
    """

    threshold: float = 0.5
    complete: bool = True
    weights: str | Path | None = None
    network: Segmenter = field(init=False, repr=False)

    name: ClassVar[str] = "sac"
    asset: ClassVar[str] = "sac"
    sharpness: ClassVar[float] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "network", load_weights(Segmenter(), self.asset, self.weights))

    def evidence(self, image: Tensor) -> Tensor:
        """The probability of a patch."""
        network = self.network.to(image.device)
        logits = network(shrunk(image.float().expand(-1, 3, -1, -1)))
        return F.interpolate(logits, image.shape[-2:], mode="bilinear").sigmoid().to(image)

    def shape(self, mask: Tensor, image: Tensor) -> Tensor:
        """Completed to rectangles."""
        return complete_shapes(mask) if self.complete else mask
