"""Local gradients smoothing: regions of dense edges are darkened by as much as they are edges."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.grid import covering_max, luminance
from rgbdsod.defenses.patch.localiser import Localiser
from rgbdsod.defenses.patch.planes import by_plane
from rgbdsod.errors import UsageError

_TINY = 1e-8


@dataclass(frozen=True, eq=False, kw_only=True)
class Lgs(Localiser):
    """Blocks whose mean normalised gradient exceeds the threshold are multiplied by 1 - clip(smoothing * gradient).

    The gradient is stretched to [0, 1] in each image, so one strong edge anywhere lowers all other responses.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of a block's mean.
        block: side in pixels.
        overlap: of neighbouring blocks, at most half a block.
        smoothing: factor of the gradient.

    Raises:
        UsageError: an overlap that does not fit, or a block larger than the image.

    Source: Naseer et al., "Local Gradients Smoothing", WACV 2019, arXiv 1807.01216, equations 3 to 6.
    """

    threshold: float = 0.1
    block: int = 15
    overlap: int = 5
    smoothing: float = 2.3

    name: ClassVar[str] = "lgs"

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap <= self.block or self.block < 1:
            raise UsageError(f"block={self.block}, overlap={self.overlap}; pass an overlap of at most half a block")

    def evidence(self, image: Tensor) -> Tensor:
        """The largest mean gradient of the blocks that cover a pixel."""
        return self._blocks(edges(image))

    def look(self, image: Tensor, *, soft: bool) -> tuple[Tensor, Tensor]:
        """The evidence, which has a gradient, and the edges."""
        found = edges(image)
        return self._blocks(found), found

    def respond(self, image: Tensor, mask: Tensor, seen: Tensor) -> Tensor:
        """The image with its edges under the mask darkened."""
        return image * (1 - mask * (self.smoothing * seen).clamp(0, 1))

    def _blocks(self, found: Tensor) -> Tensor:
        check_window(self.name, self.block, found, f"pass block={min(found.shape[-2:])} or less")
        stride = self.block - self.overlap
        means = F.avg_pool2d(found, self.block, stride)
        return covering_max(means, self.block, stride, (found.shape[-2], found.shape[-1]))


def edges(image: Tensor) -> Tensor:
    """Gradient magnitude of the luminance, (B,1,H,W), stretched to [0, 1] in each image; 0 in a constant one."""
    return by_plane(luminance(image), _stretched_gradient)


def _stretched_gradient(planes: Tensor) -> Tensor:
    around = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    down = around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    right = around[..., 1:-1, 2:] - around[..., 1:-1, :-2]
    size = torch.addcmul(down * down + _TINY**2, right, right).sqrt()
    low, high = size.amin((2, 3), keepdim=True), size.amax((2, 3), keepdim=True)
    return (size - low) / (high - low).clamp_min(_TINY)
