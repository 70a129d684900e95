"""Which of a model's decisions an attack has still to turn."""

from typing import Literal, get_args

import torch
from torch import Tensor

from rgbdsod.errors import UsageError

Against = Literal["prediction", "truth"]
"""Whose decisions are to be turned: all of the model's own, or those that agree with the truth."""


class Decisions:
    """The decisions of each sample, and those that are left.

    Args:
        against: "prediction": every decision of the first margins, right or wrong. "truth": those that the problem
            wants turned, margins above 0.

    Raises:
        UsageError: neither of these.
    """

    def __init__(self, against: str) -> None:
        if against not in get_args(Against):
            raise UsageError(f'--against "{against}": pass prediction or truth')
        self._own = against == "prediction"
        self._signs: Tensor | None = None

    def left(self, margins: Tensor) -> Tensor:
        """How firmly each decision still stands, (B,K); 0 for those that have turned, and for what is no decision.

        Args:
            margins: of the problem, (B,K); those of the first call say what the model decides on its own.
        """
        if self._own:
            if self._signs is None:
                self._signs = torch.where(margins.detach() < 0, -1.0, 1.0).to(margins)
            margins = self._signs * margins
        return torch.where((margins >= 0) & margins.isfinite(), margins, 0.0)

    def select(self, index: Tensor) -> None:
        """Go on with some of the samples."""
        self._signs = None if self._signs is None else self._signs[index]
