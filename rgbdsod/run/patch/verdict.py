"""Whether a patch reached its aim on a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rgbdsod.attacks.patch.ghosts import ghost_region
from rgbdsod.run.patch.states import column

Flags = NDArray[np.bool_]

_HALF = 0.5

RULES = {
    "hide": "IoU away from the patch below half its clean value",
    "degrade": "IoU away from the patch below half its clean value",
    "swap": "IoU away from the patch below half its clean value",
    "ghost": "IoU of 0.5 or more with the object that is not there, away from object and patch",
    "self": "more than half of the patch is salient",
}
"""By goal; all on the map as the model gives it, salient above 0.5."""


def reached(
    goal: str, row: Mapping[str, Any], state: str, map_: NDArray[np.uint8], mask: NDArray[np.uint8], cover: Flags
) -> bool:
    """Whether a goal is reached.

    Args:
        goal: a name of `RULES`.
        row: the picture's measures, clean and in the state.
        state: one of `STATES`.
        map_: what the model shows in that state, uint8 (H,W).
        mask: the truth.
        cover: the pixels under the patch, bool (H,W).
    """
    shown, objects = map_ > 127, mask > 128
    if goal == "self":
        return bool(shown[cover].mean() > _HALF)
    if goal == "ghost":
        return _overlap(shown, objects, cover) >= _HALF
    before, after = (row[column(name, "iou_bin", "rest", "raw")] for name in ("clean", state))
    return before is not None and before > 0 and after < _HALF * before


def count(rows: Sequence[Mapping[str, Any]], state: str) -> int:
    """On how many pictures a state reached the goal."""
    return sum(bool(row[f"{state}_reached"]) for row in rows)


def _overlap(shown: Flags, objects: Flags, cover: Flags) -> float:
    """IoU with the ghost, of what is neither object nor patch."""
    ghost, known = (
        ghost_region(*(torch.from_numpy(part)[None, None] for part in (objects, cover)))[0, 0],
        objects | cover,
    )
    wanted, found = ghost.numpy() & ~known, shown & ~known
    either = int((wanted | found).sum())
    return int((wanted & found).sum()) / either if either else 0.0
