"""The numbers of `rgbdsod patch evaluate` on detectors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from rgbdsod.metrics import average_precision
from rgbdsod.run.patch_defense.averages import by_defense, checks, effect, masks, views_of, weaker
from rgbdsod.run.patch_defense.controls import CONTROLS
from rgbdsod.run.patch_defense.defend_metrics import with_place
from rgbdsod.run.patch_defense.detect_success import beyond, of_class, own_output, success
from rgbdsod.types import Detections, Objects

Row = Mapping[str, Any]
Kept = Mapping[str, Any]
"""The file of an image: "objects", and "detections" by row and view; each [x0, y0, x1, y1, ...]."""

PRECISIONS = ("ap50", "ap", "ap50_others")


def detect_metrics(
    rows: Sequence[Row], kept: Mapping[str, Kept], classes: Sequence[str], attacked: str | None, goal: str,
    label: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A row for each defence, over the images with a place for a patch.

    Args:
        rows: one for each image and defence.
        kept: what was kept of each image.
        classes: of the detector.
        attacked: the class whose objects are attacked; None: all.
        goal: of the objective: "vanish", "change", "misclass", "appear" or "flood".
        label: the class to be seen, of "misclass" and "appear".

    Raises:
        DataError: no image is left.
    """
    placed, without = with_place(rows)
    found = []
    about = _About(classes, attacked, goal, None if label is None else list(classes).index(label))
    for name, own in by_defense(placed):
        views = {view: _view(name, view, own, kept, about) for view in views_of(own)}
        heads = {view: values["ap50"] for view, values in views.items()}
        controls = {control: heads[control] for control in CONTROLS if control in heads}
        found.append({
            "row": name, "defense": own[0]["defense"], "thresholds": own[0]["thresholds"] or None, **views,
            **effect(heads["clean"], heads.get("aware", heads["unaware"]), controls),
            **beyond(views, CONTROLS), **masks(own), "weaker": weaker(own), **checks(own),
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


class _About(NamedTuple):
    """What a run is about: class names, the attacked one, the goal, the position of the class to be seen."""

    classes: Sequence[str]
    attacked: str | None
    goal: str
    label: int | None


def _view(
    name: str, view: str, rows: Sequence[Row], kept: Mapping[str, Kept], about: _About
) -> dict[str, float | None]:
    """Precision and success over the set, of one view; "none" is the undefended row's "unaware"."""
    source, own = ("none", "unaware") if view == "none" else (name, view)
    files = [kept[row["id"]] for row in rows]
    truth = [read_objects(file["objects"]) for file in files]
    now = [read_detections(file["detections"][source][own]) for file in files]
    scores = average_precision(truth, now, about.classes)
    own_words = [own_output(read_detections(file["detections"]["none"]["clean"])) for file in files]
    itself = average_precision(own_words, now, about.classes)
    attacked = None if about.attacked is None else list(about.classes).index(about.attacked)
    clean = [read_detections(file["detections"][source]["clean"]) for file in files]
    seen = list(zip((of_class(one, attacked) for one in truth), clean, now, strict=True))
    heads = [one.ap50 if about.attacked is None else one.of(about.attacked) for one in (scores, itself)]
    others = math.nan if about.attacked is None else scores.others(about.attacked)
    values = {"ap50": heads[0], "ap": scores.ap, "ap50_others": others, "ap50_self": heads[1],
              "success": success(rows, seen, view, about.goal, about.label),
              "invented": _mean(rows, f"{view}_invented")}  # fmt: skip
    return {key: None if math.isnan(value) else value for key, value in values.items()}


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(sum(row[name] for row in rows) / len(rows))


def _rounded(box: Any) -> list[float]:
    return [round(float(value), 3) for value in box]


def read_objects(rows: Sequence[Sequence[float]]) -> Objects:
    """What an image's file says that it shows."""
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6)
    return Objects(table[:, :4], table[:, 4].long(), table[:, 5].bool())


def read_detections(rows: Sequence[Sequence[float]]) -> Detections:
    """What an image's file says that was found."""
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].long())
