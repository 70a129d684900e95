"""What one pass says about a batch of points."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

APART, AGAIN = 1e-9, 1e-12
"""Of the progress, from one draw of the transformations to the next and from one pass under a draw to the next: a
victim that draws by the progress, as losses of two-stage detectors do, draws for each pass of a mean anew."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one pass says about a batch of points.

    Args:
        value: what points are ranked by, (B,).
        judge: whether they fool, bool (B,); asked only of points that may be returned.
        gradients: of the summed loss, by attacked input; empty after a forward pass alone.
        faithful: whether the value belongs to the points themselves and not to transformed ones.
    """

    value: Tensor
    judge: Callable[[], Tensor]
    gradients: dict[str, Tensor] = field(default_factory=dict)
    faithful: bool = True


def mostly(passes: list[Evaluation]) -> Evaluation:
    """The mean of several passes over the same points; they fool where more than half of the passes say so."""
    gradients = {name: torch.stack([found.gradients[name] for found in passes]).mean(0) for name in passes[0].gradients}
    value = torch.stack([found.value for found in passes]).mean(0)
    return Evaluation(value, lambda: torch.stack([found.judge() for found in passes]).float().mean(0) > 0.5, gradients)


def joined(shares: list[Evaluation]) -> Evaluation:
    """One pass over all samples from passes over some of them, in their order."""
    gradients = {name: torch.cat([found.gradients[name] for found in shares]) for name in shares[0].gradients}
    value = torch.cat([found.value for found in shares])
    return Evaluation(value, lambda: torch.cat([found.judge() for found in shares]), gradients)
