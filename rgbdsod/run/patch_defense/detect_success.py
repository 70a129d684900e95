"""What a patch reached, object by object: of what was found on the clean images, what became of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rgbdsod.metrics.detection_success import SCORE, found, renamed
from rgbdsod.types import Detections, Objects

Row = Mapping[str, Any]
Seen = tuple[Objects, Detections, Detections]
"""Of one image: its objects, what was found on it clean, and what is found under a patch."""


def success(rows: Sequence[Row], seen: Sequence[Seen], view: str, goal: str, label: int | None) -> float:
    """What reached the goal, beside the same defence's clean images.

    Args:
        rows: of the table, one for each image.
        seen: the same images; objects of the attacked class alone.
        view: which of the rows' columns.
        goal: of the objective: "vanish", "change", "misclass", "appear" or "flood".
        label: the class to be seen.

    Returns:
        The share of objects found clean that are not found now (vanish, change), or are seen as the wanted class alone
        (misclass); the share of images where the class is at the patch (appear); how many more detections of an image
        are on no object (flood). NaN where nothing was found clean.
    """
    if goal == "appear":
        values = [row[f"{view}_appeared"] for row in rows if row[f"{view}_appeared"] is not None]
        return float(sum(values) / len(values)) if values else math.nan
    if goal == "flood":
        return float(sum(row[f"{view}_invented"] - row["clean_invented"] for row in rows) / len(rows))
    before = after = 0
    for objects, clean, attacked in seen:
        single = Objects(*(field[~objects.crowd] for field in objects))
        known = found(single, clean)
        gone = renamed(single, attacked, label) if goal == "misclass" else ~found(single, attacked)
        before, after = before + int(known.sum()), after + int((known & gone).sum())
    return after / before if before else math.nan


def of_class(objects: Objects, label: int | None) -> Objects:
    """The objects of one class; None: all."""
    return objects if label is None else Objects(*(field[objects.labels == label] for field in objects))


def own_output(found_clean: Detections) -> Objects:
    """What a detector said of a clean image, as if it were the truth: for precision against itself.

    Args:
        found_clean: detections; those of score 0.5 or more count.
    """
    keep = found_clean.scores >= SCORE
    labels = found_clean.labels[keep]
    return Objects(found_clean.boxes[keep], labels, torch.zeros(len(labels), dtype=torch.bool))


def beyond(views: Mapping[str, Mapping[str, float | None]], controls: Sequence[str]) -> dict[str, float | None]:
    """Success of the worst attack, less that of the most successful control; None where unknown.

    Args:
        views: measures by view.
        controls: names of views.
    """
    last = views.get("aware") or views["unaware"]
    known = [value for name in controls if name in views and (value := views[name]["success"]) is not None]
    own = last["success"]
    control = max(known) if known else None
    return {"success_control": control, "beyond": None if own is None or control is None else own - control}
