"""The numbers of `rgbdsod patch evaluate` on detectors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rgbdsod.metrics import average_precision
from rgbdsod.run.patch_defense.averages import by_defense, effect, masks, views_of, weaker
from rgbdsod.run.patch_defense.controls import CONTROLS
from rgbdsod.run.patch_defense.defend_metrics import with_place
from rgbdsod.types import Detections, Objects

Row = Mapping[str, Any]
Kept = Mapping[str, Any]
"""The file of an image: "objects", and "detections" by row and view; each [x0, y0, x1, y1, ...]."""

PRECISIONS = ("ap50", "ap", "ap50_others")


def detect_metrics(
    rows: Sequence[Row], kept: Mapping[str, Kept], classes: Sequence[str], attacked: str | None, goal: str
) -> dict[str, Any]:
    """A row for each defence, over the images with a place for a patch.

    Args:
        rows: one for each image and defence.
        kept: what was kept of each image.
        classes: of the detector.
        attacked: the class whose objects are attacked; None: all.
        goal: of the objective: "vanish", "change", "misclass", "appear" or "flood".

    Raises:
        DataError: no image is left.
    """
    placed, without = with_place(rows)
    found = []
    for label, own in by_defense(placed):
        views = {view: _view(label, view, own, kept, classes, attacked, goal) for view in views_of(own)}
        heads = {view: values["ap50"] for view, values in views.items()}
        controls = {name: heads[name] for name in CONTROLS if name in heads}
        found.append({
            "row": label, "defense": own[0]["defense"], "thresholds": own[0]["thresholds"] or None, **views,
            **effect(heads["clean"], heads.get("aware", heads["unaware"]), controls), **masks(own),
            "weaker": weaker(own),
        })  # fmt: skip
    return {"defenses": found, "no_place": without}


def keep(objects: Objects, detections: Mapping[tuple[str, str], Detections]) -> dict[str, Any]:
    """An image's file.

    Args:
        objects: what it shows beside the patch.
        detections: by row and view.
    """
    shown = [[*_rounded(box), int(label), int(crowd)] for box, label, crowd in zip(*objects, strict=True)]
    seen: dict[str, dict[str, list[list[float]]]] = {}
    for (label, view), found in detections.items():
        rows = zip(*found, strict=True)
        seen.setdefault(label, {})[view] = [[*_rounded(box), round(float(s), 7), int(c)] for box, s, c in rows]
    return {"objects": shown, "detections": seen}


def _view(
    label: str, view: str, rows: Sequence[Row], kept: Mapping[str, Kept], classes: Sequence[str], attacked: str | None,
    goal: str,
) -> dict[str, float | None]:  # fmt: skip
    """Precision and success over the set, of one view; "none" is the undefended row's "unaware"."""
    source, own = ("none", "unaware") if view == "none" else (label, view)
    truth = [_objects(kept[row["id"]]["objects"]) for row in rows]
    scores = average_precision(
        truth, [_detections(kept[row["id"]]["detections"][source][own]) for row in rows], classes
    )
    head = scores.ap50 if attacked is None else scores.of(attacked)
    others = math.nan if attacked is None else scores.others(attacked)
    values = {"ap50": head, "ap": scores.ap, "ap50_others": others, "success": _success(rows, view, goal),
              "invented": _mean(rows, f"{view}_invented")}  # fmt: skip
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _success(rows: Sequence[Row], view: str, goal: str) -> float:
    """What reached the goal, beside the same defence's clean images: a share of objects or of images, or a number."""
    if goal == "appear":
        values = [row[f"{view}_appeared"] for row in rows if row[f"{view}_appeared"] is not None]
        return sum(values) / len(values) if values else math.nan
    if goal == "flood":
        return _mean(rows, f"{view}_invented") - _mean(rows, "clean_invented")
    before = sum(row["clean_found"] for row in rows)
    if goal == "misclass":
        return sum(row[f"{view}_renamed"] for row in rows) / before if before else math.nan
    lost = sum(max(0.0, row["clean_found"] - row[f"{view}_found"]) for row in rows)
    return lost / before if before else math.nan


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(sum(row[name] for row in rows) / len(rows))


def _rounded(box: Any) -> list[float]:
    return [round(float(value), 3) for value in box]


def _objects(rows: Sequence[Sequence[float]]) -> Objects:
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6)
    return Objects(table[:, :4], table[:, 4].long(), table[:, 5].bool())


def _detections(rows: Sequence[Sequence[float]]) -> Detections:
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].long())
