"""A family of pictures: what is sought in place of free colours, and the colours that it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.patch.pose import Size

COLOUR, LATENT = "patch", "latent"
"""The variables that a family may seek: colours (B,3,h,w) themselves, or numbers (B,1,n), all in [0, 1]."""


class Family(Protocol):
    """Pictures that a patch may show."""

    @property
    def name(self) -> str:
        """What a user types."""
        ...

    @property
    def radius(self) -> float:
        """How far it reaches, in its own unit."""
        ...

    @property
    def variable(self) -> str:
        """`COLOUR` or `LATENT`."""
        ...

    @property
    def budget(self) -> Budget:
        """How far the variable may go from its centre, and on which grid it is saved."""
        ...

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held still during an attack."""
        ...

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """The middle of the family for each sample, of the type and device of `like`."""
        ...

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """The pictures (B,3,h,w) in [0, 1] that values of the variable stand for, differentiable."""
        ...


WHOLE = Budget(eps=0.5)
"""Of latent numbers that may take any value."""


@dataclass(frozen=True)
class Free:
    """Any colours."""

    name = "none"
    variable = COLOUR
    radius = 0.5
    budget: ClassVar[Budget] = Budget(eps=0.5, levels=255)
    modules: ClassVar[tuple[nn.Module, ...]] = ()

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """Grey."""
        return like.new_full((len(ids), 3, *canvas), 0.5)

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """As they are."""
        return values


def halfway(ids: Sequence[str], like: Tensor, numbers: int) -> Tensor:
    """Latent numbers (B,1,n) in the middle of their range."""
    return like.new_full((len(ids), 1, numbers), 0.5)


def signed(values: Tensor) -> Tensor:
    """Latent numbers (B,1,n) in [0, 1] as (B,n) in [-1, 1]."""
    return 2 * values[:, 0] - 1


def on_grid(colours: Tensor, levels: int = 255) -> Tensor:
    """Colours as a file of 8 bit has them; the gradient passes as if it were not rounded."""
    return colours + (torch.round(colours * levels) / levels - colours).detach()
