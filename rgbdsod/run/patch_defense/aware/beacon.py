"""Beacon: one line of the highest contrast, by which every other edge of the picture looks small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rgbdsod.attacks.patch.natural.family import LATENT, WHOLE, halfway
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.run.patch_defense.aware.unseen import FIRMLY, Unseen
from rgbdsod.run.patch_defense.aware.variant import Variant


@dataclass(frozen=True)
class Beacon:
    """Any colours, but for a white line beside a black one across the middle."""

    radius: float = 1.0
    name = "beacon"
    variable = LATENT
    budget = WHOLE
    modules: ClassVar[tuple[nn.Module, ...]] = ()

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """Grey."""
        return halfway(ids, like, 3 * canvas[0] * canvas[1])

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """The colours with the two lines."""
        colours = values.view(len(values), 3, *canvas)
        middle = canvas[0] // 2
        lines = torch.stack([torch.zeros_like(colours[:, :, 0]), torch.ones_like(colours[:, :, 0])], 2)
        return torch.cat([colours[:, :, : middle - 1], lines, colours[:, :, middle + 1 :]], 2)[:, :, : canvas[0]]


BEACON = Variant(
    "beacon", "one line of the highest contrast, by which all other edges look small",
    {"natural": Beacon(), "step_size": 4 / 255}, aim=Unseen, weights=FIRMLY,
)  # fmt: skip
