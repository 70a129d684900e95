"""Patches near a photograph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.patch.natural.bank import Bank
from rgbdsod.attacks.patch.natural.family import COLOUR
from rgbdsod.attacks.patch.pose import Size


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop of a photograph, and all that no value of it leaves by more than the radius.

    Args:
        bank: of which each sample draws one crop.
        radius: of the ball, in units of colour.
    """

    bank: Bank
    radius: float = 16 / 255
    name = "crop"
    variable = COLOUR
    modules: ClassVar[tuple[nn.Module, ...]] = ()

    @property
    def budget(self) -> Budget:
        """The ball."""
        return Budget(eps=self.radius, levels=255)

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """Each sample's crop, by its id."""
        return self.bank.drawn(ids).to(like)

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """As they are."""
        return values
