"""Bootstrapped filter: the matching head that a training produced judges the pairs it was trained on."""

from typing import Literal, get_args

import torch
from torch import Tensor

from rgbdsod.errors import UsageError

FilterMode = Literal["drop", "weight"]

WORST = 0.02
"""Smallest weight of a pair that is kept."""


def filter_weights(scores: Tensor, *, mode: FilterMode = "drop", share: float | None = None) -> Tensor:
    """How much each training pair counts in the next training.

    Args:
        scores: probability (N,) that a pair's depth belongs to its RGB, from `ITM.score`.
        mode: "drop" leaves out pairs, "weight" lets each count in proportion to its score.
        share: of the pairs that "drop" leaves out, those with the lowest scores, in [0, 1); None: all those that the
            head calls foreign (below one half).

    Returns:
        Weights (N,) with mean 1 over the pairs that stay; a dropped pair has 0.

    Raises:
        UsageError: another mode, a share out of range, or no pair is left.

    Source:
        Li et al., BLIP, arXiv 2201.12086, section 3.3 (the filter of CapFilt), with depth in the place of captions.
    """
    check_filter(mode, share)
    scores = scores.double()
    if mode == "weight":
        weights = scores.clamp(min=WORST)
        return (weights / weights.mean()).float()
    if share is None:
        kept = scores >= 0.5
    else:
        kept = torch.ones_like(scores, dtype=torch.bool)
        kept[scores.argsort(stable=True)[: round(share * len(scores))]] = False
    if not kept.any():
        raise UsageError("the matching head calls every pair foreign; train it longer, or give a share to drop")
    return kept.float()


def check_filter(mode: str, share: float | None) -> None:
    """Refuse settings of a filter.

    Raises:
        UsageError: another mode, or a share out of range.
    """
    if mode not in get_args(FilterMode):
        raise UsageError(f'filter "{mode}": expected {" or ".join(get_args(FilterMode))}')
    if share is not None and (mode != "drop" or not 0 <= share < 1):
        raise UsageError(f"a share of {share:g}: from 0 to below 1, and only with drop")


def filter_quality(scores: Tensor, foreign: Tensor) -> dict[str, float]:
    """How well scores find pairs that are known not to belong together.

    Args:
        scores: (N,), high where a pair belongs together.
        foreign: (N,) bool, the truth.

    Returns:
        "auroc"; "precision" and "recall" of the pairs below one half. A figure that has no cases is NaN.
    """
    foreign = foreign.bool()
    bad, good = scores[foreign].double(), scores[~foreign].double()
    lower = (bad[:, None] < good).double() + 0.5 * (bad[:, None] == good).double()
    called = scores < 0.5
    hits = (called & foreign).sum().double()
    return {
        "auroc": float(lower.mean()) if lower.numel() else float("nan"),
        "precision": float(hits / called.sum()),
        "recall": float(hits / foreign.sum()),
    }
