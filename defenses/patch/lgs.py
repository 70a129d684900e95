"""Local gradients smoothing: regions of dense edges are darkened by as much as they are edges."""

from dataclasses import dataclass
from math import gcd
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.grid import covering_cells, covering_max, enlarged, luminance
from rgbdsod.defenses.patch.localiser import Localiser
from rgbdsod.defenses.patch.planes import by_plane, joined, spans
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

    def located(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same answers, each written once, straight to its place: most of the time would go into memory."""
        size, stride = self._room(image), self.block - self.overlap
        changed, masks, scores = torch.empty_like(image), [], []
        for rows in spans(image[:, :1]):
            found = _stretched_gradient(luminance(image[rows]))
            cells = covering_cells(F.avg_pool2d(found, self.block, stride), self.block, stride, size)
            masks.append(enlarged((cells > self.threshold).to(image), gcd(self.block, stride), size))
            shade = found.mul_(self.smoothing).clamp_(max=1).mul_(masks[-1]).neg_().add_(1)
            torch.mul(image[rows], shade, out=changed[rows])
            scores.append(cells.flatten(1).amax(1) - self.threshold)
        return changed, joined(masks), joined(scores)

    def _blocks(self, found: Tensor) -> Tensor:
        size, stride = self._room(found), self.block - self.overlap
        return covering_max(F.avg_pool2d(found, self.block, stride), self.block, stride, size)

    def _room(self, image: Tensor) -> tuple[int, int]:
        """(H, W) of images that have room for a block."""
        check_window(self.name, self.block, image, f"pass block={min(image.shape[-2:])} or less")
        return image.shape[-2], image.shape[-1]


def edges(image: Tensor) -> Tensor:
    """Gradient magnitude of the luminance, (B,1,H,W), stretched to [0, 1] in each image; 0 in a constant one."""
    return by_plane(luminance(image), _stretched_gradient)


def _stretched_gradient(planes: Tensor) -> Tensor:
    around = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    down = around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    right = around[..., 1:-1, 2:] - around[..., 1:-1, :-2]
    size = (down * down).add_(_TINY**2).addcmul_(right, right).sqrt_()
    low, high = size.amin((2, 3), keepdim=True), size.amax((2, 3), keepdim=True)
    return (size - low) / (high - low).clamp_min(_TINY)
