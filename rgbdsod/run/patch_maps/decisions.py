"""Decisions over all maps: fitted on some images and families, tested on the others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rgbdsod.defenses.patch.cross.features import FEATURES
from rgbdsod.defenses.patch.cross.logistic import Logistic, fit_logistic
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES, NOISY
from rgbdsod.run.patch_maps.ranking import pixel_auroc
from rgbdsod.run.patch_maps.sampling import kept, truth

Kept = Mapping[str, NDArray[np.int64]]
"""By column, the pixels of each image, (images, pixels, features)."""

STICKERS = 0.5
"""Weight of the pixels of stickers among those that are no attack; without it few of them count."""

KNOWING = "rgb noise"
"""The family of patches that know a map."""

RGB_FAMILIES, RGB_CONTROLS = ("rgb noise", "rgb smooth"), ("sticker", "crop")
"""Patches and stickers in RGB alone, which are told apart."""

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


def judged(columns: Kept, without: str | None = None) -> dict[str, NDArray[np.float64]]:
    """Log-odds of every kept pixel by column, (images, pixels), by a decision fitted on the other half of the images.

    Args:
        columns: pixels by column.
        without: a family that the decision has not seen either.
    """
    count = len(next(iter(columns.values())))
    halves = [np.arange(count)[half::2] for half in (0, 1)]
    families = [name for name in FAMILIES if name != without]
    found = {name: np.zeros(pixels.shape[:2]) for name, pixels in columns.items()}
    for at, half in enumerate(halves):
        if len(half):
            rule = decision(columns, families, halves[1 - at])
            for name, pixels in columns.items():
                rows = kept(pixels[half])
                found[name][half] = rule.logit({key: rows[..., i] for i, key in enumerate(FEATURES)}).numpy()
    return found


def left_out(columns: Kept) -> dict[str, dict[str, NDArray[np.float64]]]:
    """`judged` without each family in turn, by that family."""
    return {name: judged(columns, name) for name in FAMILIES}


def family_of(column: str) -> str | None:
    """The family that a column is of, also in another dress; None for stickers."""
    if column in CONTROLS:
        return None
    name = _KIN.get(column, column)
    return name if name in FAMILIES else KNOWING


def inside_out(values: NDArray[Any]) -> float | None:
    """Mean over images of the AUROC of pixels under the patch against those beside it, (images, pixels)."""
    known = [score for one in values if (score := pixel_auroc(one, truth().numpy())) is not None]
    return float(np.mean(known)) if known else None


def apart(attack: NDArray[Any], stickers: Mapping[str, NDArray[Any]]) -> float | None:
    """AUROC of pixels under patches against pixels under stickers in the same modality.

    Args:
        attack: values of pixels, (images, pixels).
        stickers: the same by control.
    """
    under = truth().numpy()
    benign = np.concatenate([stickers[name][:, under].ravel() for name in RGB_CONTROLS])
    values = np.concatenate([attack[:, under].ravel(), benign])
    return pixel_auroc(values, np.arange(len(values)) < len(values) - len(benign))
