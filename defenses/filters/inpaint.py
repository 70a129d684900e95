"""Depth that cannot be, filled from around it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.attacks.patch.transforms.medians import window_median
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.fills import fill
from rgbdsod.defenses.patch.purifier import Defence, Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthInpaint(Defence):
    """Holes and implausible values of depth are filled by diffusion from the pixels around them.

    A hole is a value of exactly 0. Implausible is what differs from the median of its window by more than `jump`: noise
    of a smaller radius stays as it is, so this is a defence against spikes and made-up holes, not against faint noise.

    Args:
        on: not used; it works on depth.
        window: of the median, side in pixels, odd.
        jump: of the depth range, above 0 and below 1.

    Raises:
        UsageError: no depth; an even window, one larger than the image; a jump outside.

    Source: the filling: `rgbdsod.defenses.fill`, the Laplace equation by Jacobi steps.
    """

    window: int = 7
    jump: float = 0.1

    name: ClassVar[str] = "inpaint"

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0:
            raise UsageError(f"window={self.window}; pass an odd number of pixels, 3 or more")
        if not 0 < self.jump < 1:
            raise UsageError(f"jump={self.jump:g}; pass a share of the depth range above 0 and below 1, such as 0.1")

    def __call__(self, inputs: Inputs) -> Purified:
        """The batch with depth filled; the mask shows where, and the score is its share of the image."""
        if "depth" not in inputs:
            raise UsageError(f"{self.name} fills depth, and the inputs are {', '.join(inputs) or 'none'}; leave it out")
        depth = self.images({"depth": inputs["depth"]})["depth"]
        check_window(self.name, self.window, depth, "pass a smaller odd window")
        mask = self.doubtful(depth)
        return Purified({**inputs, "depth": fill(depth, mask)}, mask, mask.flatten(1).mean(1))

    @torch.no_grad()
    def doubtful(self, depth: Tensor) -> Tensor:
        """1 for each hole and each implausible value, (B,1,H,W)."""
        usual = window_median(depth, window=self.window)
        return ((depth == 0) | ((depth - usual).abs() > self.jump)).to(depth)
