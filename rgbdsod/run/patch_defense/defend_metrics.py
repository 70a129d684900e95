"""The numbers of `rgbdsod patch defend`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.errors import DataError
from rgbdsod.metrics import paired_change
from rgbdsod.run.patch.states import REGIONS
from rgbdsod.run.patch_defense.averages import by_defense, checks, effect, masks, means, views_of, weaker
from rgbdsod.run.patch_defense.controls import CONTROLS

MEASURES = tuple(f"{name}_{region}" for region in REGIONS for name in ("iou", "mae"))
HEADLINE = "iou_rest"
"""What tables show: IoU beside the patch."""

Row = Mapping[str, Any]


def defend_metrics(rows: Sequence[Row]) -> dict[str, Any]:
    """A row for each defence, over the images that have a place for a patch.

    Args:
        rows: one for each image and defence.

    Raises:
        DataError: no image has a place.
    """
    placed, without = with_place(rows)
    return {"defenses": [_defense(label, own) for label, own in by_defense(placed)], "no_place": without}


def with_place(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The rows of images with a place for the patch, and the other images' ids.

    Raises:
        DataError: no image has one.
    """
    kept = [row for row in rows if row["placed"]]
    if not kept:
        raise DataError("no image has a place for the patch; try --where random, or a smaller --size")
    return kept, list(dict.fromkeys(row["id"] for row in rows if not row["placed"]))


def _defense(label: str, rows: Sequence[Row]) -> dict[str, Any]:
    views = {view: means(rows, view, MEASURES) for view in views_of(rows)}
    heads = {view: own[HEADLINE] for view, own in views.items() if own is not None}
    last = heads.get("aware", heads["unaware"])
    controls = {name: heads[name] for name in CONTROLS if name in heads}
    beyond = effect(heads["clean"], last, controls)
    return {
        "row": label,
        "defense": rows[0]["defense"],
        "thresholds": rows[0]["thresholds"] or None,
        **views,
        **beyond,
        **_interval(rows, beyond["control"], "aware" if "aware" in heads else "unaware"),
        **masks(rows),
        "weaker": weaker(rows),
        **checks(rows),
        "attacks": _counted(rows),
    }


def _interval(rows: Sequence[Row], control: str | None, view: str) -> dict[str, float | None]:
    """The ends of the effect's 95 % interval, by a paired bootstrap over the images."""
    pairs = [(row[f"{view}_{HEADLINE}"], row[f"{control}_{HEADLINE}"]) for row in rows] if control else []
    known = np.array([pair for pair in pairs if None not in pair], np.float64)
    if not len(known):
        return {"effect_low": None, "effect_high": None}
    found = paired_change(known[:, 0], known[:, 1])
    return {"effect_low": found.low, "effect_high": found.high}


def _counted(rows: Sequence[Row]) -> dict[str, int]:
    """For how many images each attack was the worst."""
    found: dict[str, int] = {}
    for row in rows:
        if "aware_attack" in row:
            found[row["aware_attack"]] = found.get(row["aware_attack"], 0) + 1
    return found
