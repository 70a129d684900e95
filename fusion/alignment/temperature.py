"""The learned temperature of a contrast."""

from math import log

import torch
from torch import Tensor, nn

COLDEST, HOTTEST = 0.01, 0.5
"""Where it is kept."""


class Temperature(nn.Module):
    """A positive number that is learned in log scale.

    Args:
        start: its first value, in [0.01, 0.5].
    """

    def __init__(self, start: float = 0.07) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(log(start)))

    def forward(self) -> Tensor:
        """The temperature; a step of the optimiser that left the allowed range is taken back first."""
        with torch.no_grad():
            self.log.clamp_(log(COLDEST), log(HOTTEST))
        return self.log.exp()
