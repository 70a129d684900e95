"""The numbers of `rgbdsod defend`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.metrics import paired_change
from rgbdsod.run.defense.checks import CHECKS
from rgbdsod.run.patch_defense.averages import SLACK, by_defense

VIEWS = ("clean", "noise", "none", "unaware", "aware", "alone")
"""What the images carry: nothing, noise of the same radius, the attack on the undefended network without and with the
defence, the worst of all attacks, the worst of those through the defence alone."""

Row = Mapping[str, Any]


def defense_metrics(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each defence."""
    groups = list(by_defense(rows))
    bare = groups[0][1]
    return [_defense(label, own, bare) for label, own in groups]


def _defense(label: str, rows: Sequence[Row], bare: Sequence[Row]) -> dict[str, Any]:
    views = {view: _means(rows, view) for view in VIEWS if f"{view}_iou" in rows[0]}
    last = "aware" if "aware" in views else "unaware"
    worst = min((view for view in views if view in ("alone", "unaware")), key=lambda view: views[view]["iou"])
    return {
        "row": label,
        **views,
        "cost": _mean(bare, "clean_iou") - views["clean"]["iou"],
        **_gain(rows, bare, last),
        "weaker": "alone" in views and views["alone"]["iou"] > views["unaware"]["iou"] + SLACK,
        "check_control": max(0.0, views[worst]["iou"] - views["noise"]["iou"]),
        **{name: _tested(rows, name) for name in CHECKS},
        "passes": _mean(rows, "aware_passes") if "aware_passes" in rows[0] else None,
        "attacks": _counted(rows),
    }


def _means(rows: Sequence[Row], view: str) -> dict[str, float]:
    return {name: _mean(rows, f"{view}_{name}") for name in ("iou", "mae", "dropped")}


def _mean(rows: Sequence[Row], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _gain(rows: Sequence[Row], bare: Sequence[Row], view: str) -> dict[str, float]:
    """What the defence saves of the IoU, under the worst that each side gets, with a paired bootstrap's interval."""
    change = paired_change(*(np.array([row[f"{view}_iou"] for row in own], np.float64) for own in (bare, rows)))
    return {"gain": change.mean, "gain_low": change.low, "gain_high": change.high}


def _tested(rows: Sequence[Row], name: str) -> float | None:
    values = [float(row[name]) for row in rows if row.get(name) is not None]
    if not values:
        return None
    return min(values) if name == "check_gradient" else float(np.mean(values))


def _counted(rows: Sequence[Row]) -> dict[str, int]:
    """For how many images each attack was the worst."""
    names = [row["aware_attack"] for row in rows if "aware_attack" in row]
    return {name: names.count(name) for name in dict.fromkeys(names)}
