"""The numbers of `rgbdsod patch defend`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.errors import DataError
from rgbdsod.run.patch.states import REGIONS
from rgbdsod.run.patch_defense.averages import by_defense, effect, masks, means, views_of, weaker
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
    return {
        "row": label,
        "defense": rows[0]["defense"],
        "thresholds": rows[0]["thresholds"] or None,
        **views,
        **effect(heads["clean"], last, controls),
        **masks(rows),
        "weaker": weaker(rows),
        "attacks": _counted(rows),
    }


def _counted(rows: Sequence[Row]) -> dict[str, int]:
    """For how many images each attack was the worst."""
    found: dict[str, int] = {}
    for row in rows:
        if "aware_attack" in row:
            found[row["aware_attack"]] = found.get(row["aware_attack"], 0) + 1
    return found
