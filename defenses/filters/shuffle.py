"""Pixels change places within segments."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.defenses.filters.draws import RandomDefence
from rgbdsod.defenses.patch.purifier import Purified
from rgbdsod.defenses.patch.superpixels import superpixels
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentShuffle(RandomDefence):
    """The pixels of each superpixel are shuffled within it, so that a pattern of noise is scattered.

    Segments are those of the image itself, so each input has its own. The paper's second half, a layer that brings back
    what belongs together by nearness and colour, has to be trained with the network; it is not here, so clean images
    cost more than the paper's.

    Args:
        on: the inputs that are shuffled; None: all.
        seed: of all draws.
        side: of the superpixels at their start, in pixels, 2 or more.
        compactness: what one side's distance weighs beside a colour difference of 1, above 0.

    Raises:
        UsageError: a side or a compactness outside.

    Source: Li et al., "ROSA: Robust Salient Object Detection against Adversarial Attacks", arXiv 1905.03434, section
        III-B, the segment-wise shielding component.
    """

    side: int = 4
    compactness: float = 0.2

    name: ClassVar[str] = "shuffle"

    def __post_init__(self) -> None:
        if self.side < 2 or self.compactness <= 0:
            raise UsageError(
                f"side={self.side}, compactness={self.compactness:g}; pass 2 pixels or more, and a number above 0"
            )

    def __call__(self, inputs: Inputs) -> Purified:
        """The shuffled batch; the score is the mean absolute change."""
        images = self.images(inputs)
        draws = self.streams(len(next(iter(images.values()))))
        changed = {name: self._shuffled(image, draws.uniform(image[:, :1])) for name, image in images.items()}
        moved = [(changed[name] - image).abs().flatten(1).mean(1) for name, image in images.items()]
        nothing = torch.zeros_like(next(iter(images.values()))[:, :1])
        return Purified({**inputs, **changed}, nothing, torch.stack(moved).mean(0))

    def _shuffled(self, image: Tensor, chance: Tensor) -> Tensor:
        """Sorting by (segment, chance) deals each segment's pixels out to its places in the order of scanning."""
        number = superpixels(image.detach(), self.side, self.compactness).flatten(1)
        dealt = chance.flatten(1).argsort(dim=1)
        dealt = dealt.gather(1, number.gather(1, dealt).argsort(dim=1, stable=True))
        places = number.argsort(dim=1, stable=True)
        source = torch.empty_like(places).scatter_(1, places, dealt)
        flat = image.flatten(2)
        return flat.gather(2, source[:, None].expand_as(flat)).view_as(image)
