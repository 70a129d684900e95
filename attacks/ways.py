"""The ways out at some vectors, each differentiated when it is asked for."""

from collections.abc import Callable

import torch
from torch import Tensor


class Ways:
    """The ways out at a batch of vectors, each differentiated when it is asked for.

    Args:
        exits: (B, E), with their graph.
        pull: the gradient of one value per sample; told whether to keep the graph.

    Attributes:
        values: the exits without their graph.
    """

    def __init__(self, exits: Tensor, pull: Callable[[Tensor, bool], Tensor]) -> None:
        self.values = exits.detach()
        self._exits, self._pull = exits, pull

    def slope(self, which: Tensor, *, last: bool = False) -> Tensor:
        """The gradient (B, D) of one exit of each sample, by index (B,): one backward pass, or the `last`."""
        with torch.enable_grad():
            chosen = self._exits.gather(1, which[:, None])[:, 0]
        return self._pull(chosen, not last)
