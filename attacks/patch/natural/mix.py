"""Patches mixed of photographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from rgbdsod.attacks.patch.compose import passing
from rgbdsod.attacks.patch.natural.bank import Bank
from rgbdsod.attacks.patch.natural.family import LATENT, WHOLE, halfway, signed
from rgbdsod.attacks.patch.pose import Size

_WARP, _GAIN = 0.3, 0.3  # how far the numbers of the affine map and of the colours go from those that change nothing


@dataclass(frozen=True, eq=False)
class Mix:
    """A convex mixture of crops, under one affine map and a gain of each colour.

    Args:
        bank: the crops; one number each, then six of the map and three of the colours.
        radius: weights are a softmax of numbers from minus to plus so much; at 4 one crop of 64 can have 98 %.
    """

    bank: Bank
    radius: float = 4.0
    name = "mix"
    variable = LATENT
    budget = WHOLE
    modules: ClassVar[tuple[nn.Module, ...]] = ()

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """The mean of all crops."""
        return halfway(ids, like, len(self.bank.crops) + 9)

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """The mixture."""
        numbers, count = signed(values), len(self.bank.crops)
        weights, warp, gain = numbers[:, :count], numbers[:, count:-3], numbers[:, -3:]
        mixed = torch.einsum("bn,nchw->bchw", (self.radius * weights).softmax(1), self.bank.crops.to(values))
        still = values.new_tensor([[1.0, 0, 0], [0, 1, 0]])
        grid = affine_grid(still + _WARP * warp.view(-1, 2, 3), list(mixed.shape), align_corners=False)
        moved = grid_sample(mixed, grid, padding_mode="reflection", align_corners=False)
        return passing(moved * (1 + _GAIN * gain[:, :, None, None]))
