"""Steps of an attack that remembers something of each sample outside its rule."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.rules import Ascent


class Memory(Protocol):
    """What is remembered of each sample."""

    def select(self, index: Tensor) -> None:
        """Go on with some of the samples."""
        ...


class Heedful(Ascent):
    """Steps of fixed size, for an estimate that remembers something of each sample.

    Args:
        balls: by attacked input.
        sizes: the step sizes.
        steps: how many there will be.
        memories: narrowed with the batch.
    """

    def __init__(
        self,
        balls: Mapping[str, Ball],
        sizes: Mapping[str, Tensor],
        steps: int,
        *,
        memories: Sequence[Memory],
    ) -> None:
        super().__init__(balls, sizes, steps)
        self._memories = memories

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples."""
        super().select(index, balls)
        for memory in self._memories:
            memory.select(index)
