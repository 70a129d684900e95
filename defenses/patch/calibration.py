"""Thresholds that clean images set."""

from collections.abc import Callable

import torch
from torch import Tensor

from rgbdsod.errors import UsageError

_HALVINGS = 6


def lowest_threshold(evidence: Tensor, masked: Callable[[float], float], share: float) -> float:
    """The lowest tried threshold at which at most a share of the clean pixels is masked.

    Shaping can add pixels to those above the threshold, so the final masks are what counts: the quantile goes up until
    they fit, in the end to the largest value, which nothing exceeds.

    Args:
        evidence: of all clean pixels, any shape.
        masked: the share of the clean pixels that a threshold masks in the end.
        share: that is allowed.

    Raises:
        UsageError: a share outside.
    """
    if not 0 < share < 1:
        raise UsageError(f"share={share}; pass a share of the clean pixels above 0 and below 1, such as 0.01")
    ordered = evidence.flatten().sort().values
    for halving in range(_HALVINGS):
        at = int(len(ordered) * (1 - share / 2**halving))
        threshold = float(ordered[min(at, len(ordered) - 1)])
        if masked(threshold) <= share:
            return threshold
    return float(ordered[-1])


def quantiles(evidence: Tensor, count: int = 1001) -> Tensor:
    """So many evenly spaced quantiles of all values, (count,)."""
    ordered = evidence.flatten().sort().values
    at = torch.linspace(0, len(ordered) - 1, count, device=ordered.device).round().long()
    return ordered[at]
