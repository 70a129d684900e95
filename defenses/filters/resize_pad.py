"""Every look at another size and place."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.filters.draws import RandomDefence
from rgbdsod.defenses.patch.purifier import Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class ResizePad(RandomDefence):
    """The images shrunk by a random factor and laid at a random place, all inputs alike; the rim repeats their edge.

    The paper pads a classifier's images with black, in a larger canvas. Here the canvas keeps its size, and black would
    not do: to a saliency network a black rim is an object (IoU 0.94 without one, 0.29 with one of 5 %). The network's
    map is brought back to the image's pixels.

    Args:
        on: the inputs that move; None: all, and others would no longer fit them.
        seed: of all draws.
        smallest: of the factors, drawn evenly from here to 1; above 0, below 1.

    Raises:
        UsageError: a factor outside.

    Source: Xie et al., "Mitigating Adversarial Effects Through Randomization", ICLR 2018, arXiv 1711.01991, section 3.
    """

    smallest: float = 0.8

    name: ClassVar[str] = "resize-pad"

    def __post_init__(self) -> None:
        if not 0 < self.smallest < 1:
            raise UsageError(f"smallest={self.smallest:g}; pass a factor above 0 and below 1, such as 0.8")

    def __call__(self, inputs: Inputs) -> Purified:
        """The moved batch; the score is 0, for it looks for nothing."""
        images = self.images(inputs)
        first = next(iter(images.values()))
        draws = self.streams(len(first)).uniform(first.new_zeros(len(first), 3))
        scale = self.smallest + (1 - self.smallest) * draws[:, 0]
        shift = (2 * draws[:, 1:] - 1) * (1 - scale)[:, None]  # of the centre, in half sides: the image stays inside
        moved = {name: _sampled(image, 1 / scale, -shift / scale[:, None]) for name, image in images.items()}

        def undo(maps: Tensor) -> Tensor:
            return _sampled(maps, scale, shift)

        nothing = torch.zeros_like(first[:, :1])
        return Purified({**inputs, **moved}, nothing, nothing.flatten(1).mean(1), undo)


def _sampled(image: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The image read at `scale` times each place plus `shift`, in half sides from its centre, bilinear."""
    affine = torch.zeros(len(image), 2, 3, dtype=image.dtype, device=image.device)
    affine[:, 0, 0] = affine[:, 1, 1] = scale
    affine[:, :, 2] = shift
    grid = F.affine_grid(affine, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
