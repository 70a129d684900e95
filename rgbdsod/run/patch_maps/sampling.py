"""Pixels that are kept of each image, so that decisions over maps can be fitted and tested after the run."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.attacks.randomness import stream

INSIDE, OUTSIDE = 96, 192
"""Pixels of an image that are drawn under its patch and beside it."""

SCALE = 1000
"""Features are kept as whole thousandths."""


def sampled(
    features: Mapping[str, Tensor], mask: Tensor, ids: Sequence[str], seed: int, column: str
) -> NDArray[np.int64]:
    """Features of drawn pixels, (B, INSIDE + OUTSIDE, features), those under the patch first; drawn with replacement.

    An image without a patch has zeros.

    Args:
        features: maps (B,1,H,W) by name.
        mask: where patches are, bool (B,1,H,W).
        ids: of the samples.
        seed: of the run.
        column: what lies on the images.
    """
    rows = torch.stack([value.flatten(1) for value in features.values()], 2).cpu()
    flat = mask.flatten(1).cpu()
    found = torch.zeros(len(flat), INSIDE + OUTSIDE, rows.shape[2])
    for row, sample in enumerate(ids):
        if not flat[row].any() or flat[row].all():
            continue
        generator = stream(seed, sample, "pixels", column)
        for where, start, count in ((flat[row], 0, INSIDE), (~flat[row], INSIDE, OUTSIDE)):
            places = where.nonzero().flatten()
            drawn = places[torch.randint(len(places), (count,), generator=generator)]
            found[row, start : start + count] = rows[row, drawn]
    return (found * SCALE).round().to(torch.int64).numpy()


def kept(counts: NDArray[np.int64]) -> Tensor:
    """The features again, float."""
    return torch.from_numpy(counts).double() / SCALE


def truth() -> Tensor:
    """Which of an image's kept pixels lie under the patch, bool (INSIDE + OUTSIDE,)."""
    return torch.arange(INSIDE + OUTSIDE) < INSIDE
