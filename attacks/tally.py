"""Passes, counted for the samples they were spent on."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Tally:
    """Passes of one batch.

    Args:
        rows: which sample each row of the batch is, int64 on the CPU; copies repeat it.
        forward: forward passes so far.
        backward: backward passes so far.
    """

    rows: Tensor
    forward: int = 0
    backward: int = 0


def totals(tallies: list[Tally]) -> tuple[Tensor, Tensor]:
    """Forward and backward passes of each sample, int64 (B,) on the CPU; the first tally is that of all samples."""
    forward, backward = (torch.zeros_like(tallies[0].rows) for _ in range(2))
    for tally in tallies:
        forward.index_add_(0, tally.rows, torch.full_like(tally.rows, tally.forward))
        backward.index_add_(0, tally.rows, torch.full_like(tally.rows, tally.backward))
    return forward, backward
