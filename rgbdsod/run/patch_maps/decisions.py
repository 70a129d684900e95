"""Decisions over all maps: fitted on some images and families, tested on the others."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.defenses.patch.cross.features import FEATURES
from rgbdsod.defenses.patch.cross.logistic import Logistic, fit_logistic
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES, NOISY
from rgbdsod.run.patch_maps.ranking import pixel_auroc
from rgbdsod.run.patch_maps.sampling import kept, truth

Kept = Mapping[str, NDArray[np.int64]]
"""By column, the pixels of each image, (images, pixels, features)."""

STICKERS = 0.5
"""Weight of the pixels of stickers among those that are no attack; without it few of them count."""

_KIN = {NOISY: "joint plane"}
"""Columns that are a family in another dress."""


def decision(columns: Kept, families: Sequence[str], images: NDArray[np.int64]) -> Logistic:
    """The regression on the patches of some families, and on stickers, whose pixels are no patch.

    Args:
        columns: pixels by column.
        families: names of `FAMILIES`.
        images: positions of those that count.
    """
    rows, wanted, stuck = [], [], []
    for name in (*families, *CONTROLS):
        part = kept(columns[name][images])
        rows.append(part.flatten(0, 1))
        inside = truth().repeat(len(part))
        wanted.append(inside & (name in families))
        stuck.append(inside & (name in CONTROLS))
    table, patch, sticker = torch.cat(rows), torch.cat(wanted), torch.cat(stuck)
    weight = patch / patch.sum() + STICKERS * sticker / sticker.sum()
    weight = weight + (1 - STICKERS) * ~(patch | sticker) / (~(patch | sticker)).sum()
    return fit_logistic({name: table[:, at] for at, name in enumerate(FEATURES)}, patch, weight)


def held_out(columns: Kept, *, leave_out: bool) -> dict[str, float | None]:
    """AUROC of decisions by column, each image judged by a decision that was fitted on the other half of them.

    Args:
        columns: pixels by column; with `rgb aware` and the like.
        leave_out: whether the decision has not seen the column's family either. Stickers belong to none: theirs is
            the decision of all families.
    """
    count = len(next(iter(columns.values())))
    halves = [np.arange(count)[half::2] for half in (0, 1)]
    found: dict[str, float | None] = {}
    for name, pixels in columns.items():
        own = _KIN.get(name, name)
        own = own if own in FAMILIES else "rgb noise" if name not in CONTROLS else ""
        families = [other for other in FAMILIES if not (leave_out and other == own)]
        scores: list[float | None] = []
        for at, half in enumerate(halves):
            if len(half):
                scores += _judged(decision(columns, families, halves[1 - at]), pixels[half])
        known = [score for score in scores if score is not None]
        found[name] = float(np.mean(known)) if known else None
    return found


def _judged(rule: Logistic, pixels: NDArray[np.int64]) -> list[float | None]:
    """AUROC of each image."""
    rows = kept(pixels)
    logits: Tensor = rule.logit({name: rows[..., at] for at, name in enumerate(FEATURES)})
    return [pixel_auroc(one.numpy(), truth().numpy()) for one in logits]
