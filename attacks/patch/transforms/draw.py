"""Random numbers of one draw: each sample its own, taken in a fixed order whatever its neighbours need."""

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
        """Whether something happens to a sample, bool (B,1,1,1)."""
        return (self.uniform(0.0, 1.0) < chance).view(-1, 1, 1, 1)


def where(happens: Tensor, changed: Tensor, values: Tensor) -> Tensor:
    """The changed values for samples to which it happens."""
    return torch.where(happens, changed, values)
