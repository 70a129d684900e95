"""In what a vector of the box is optimised: itself, clipped after each step, or its inverse tanh."""

from typing import Protocol

import torch
from torch import Tensor

from rgbdsod.attacks.space import Space


class Variables(Protocol):
    """Free variables (B, D) for the vectors of a space."""

    def start(self, space: Space) -> Tensor:
        """Those of the clean vectors."""
        ...

    def point(self, space: Space, free: Tensor) -> Tensor:
        """The vectors that belong to them."""
        ...

    def pull(self, space: Space, free: Tensor, gradient: Tensor) -> Tensor:
        """The gradient with respect to them, from that with respect to the vectors."""
        ...

    def moved(self, space: Space, free: Tensor, step: Tensor) -> Tensor:
        """The variables after a step down."""
        ...


class Clipped:
    """The vectors themselves: values at the end of the box can leave it."""

    def start(self, space: Space) -> Tensor:
        """The clean vectors."""
        return space.clean

    def point(self, space: Space, free: Tensor) -> Tensor:
        """The same."""
        return free

    def pull(self, space: Space, free: Tensor, gradient: Tensor) -> Tensor:
        """The same."""
        return gradient

    def moved(self, space: Space, free: Tensor, step: Tensor) -> Tensor:
        """A step, clipped."""
        return space.clip(free - step)


class Squashed:
    """The inverse tanh of the place between the box's ends.

    Source: Carlini and Wagner, arXiv 1608.04644, section V.B.
    """

    _edge = 1 - 1e-6  # the inverse tanh of 1 is infinite

    def start(self, space: Space) -> Tensor:
        """Those of the clean vectors."""
        room = (space.upper - space.lower).clamp_min(torch.finfo(space.clean.dtype).tiny)
        return torch.atanh(self._edge * (2 * (space.clean - space.lower) / room - 1).clamp(-1, 1))

    def point(self, space: Space, free: Tensor) -> Tensor:
        """Between the ends."""
        return space.clip(space.lower + (space.upper - space.lower) * (free.tanh() + 1) / 2)

    def pull(self, space: Space, free: Tensor, gradient: Tensor) -> Tensor:
        """The chain rule."""
        return gradient * (space.upper - space.lower) * (1 - free.tanh().square()) / 2

    def moved(self, space: Space, free: Tensor, step: Tensor) -> Tensor:
        """A step."""
        return free - step
