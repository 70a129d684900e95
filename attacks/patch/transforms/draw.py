"""Random numbers of one draw: each sample its own, taken in a fixed order whatever its neighbours need."""

from collections.abc import Callable

import torch
from torch import Tensor

from rgbdsod.attacks.randomness import Streams


class Draw:
    """Numbers for the transformations of one batch; asked again, it goes on.

    Args:
        streams: one per sample.
        like: a tensor (B,...) for type and device.
    """

    def __init__(self, streams: Streams, like: Tensor) -> None:
        self._streams, self._like = streams, like

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers in [low, high), (B, *shape)."""
        drawn = self._streams.uniform(self._like.new_empty(len(self._like), *(shape or (1,))))
        drawn = low + (high - low) * drawn
        return drawn if shape else drawn[:, 0]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, (B, *shape)."""
        return self._streams.normal(self._like.new_empty(len(self._like), *shape))

    def happens(self, chance: float) -> Tensor:
        """The samples to which something happens: their rows, int64 on the CPU, so that no device is waited for."""
        return (self._streams.uniform(torch.empty(len(self._like), 1))[:, 0] < chance).nonzero()[:, 0]


def only(values: Tensor, rows: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Values of which some samples change; the others cost nothing.

    Args:
        values: (B,...).
        rows: of the samples, as `Draw.happens` gives them.
        change: what they become, as (n,...).
    """
    if not len(rows):
        return values
    if len(rows) == len(values):
        return change(values)
    at = rows.to(values.device)
    return values.index_copy(0, at, change(values[at]))
