"""From the rows and counts of all images to what a patch did, and what of that its controls do as well."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.attacks.patch.compose import PHYSICAL
from rgbdsod.metrics import paired_change
from rgbdsod.run.definitions import PROTOCOLS, better, definitions, title
from rgbdsod.run.patch.regions import region_values
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.states import CONTROLS, REGIONS, STATES, column, measures_of
from rgbdsod.run.patch.verdict import RULES, count
from rgbdsod.run.patched import with_place
from rgbdsod.run.pieces import Piece
from rgbdsod.run.tables import align

Row = Mapping[str, Any]

_SHOWN = (("iou_bin", "rest"), ("mae", "rest"), ("iou_bin", "far"), ("iou_bin", "all"), ("mae", "all"), ("sm", "all"))
"""Columns of the table on the screen: measure and region."""

_WORDS = {"all": "all", "rest": "R", "far": "far"}


def patch_metrics(
    merged: Piece, chosen: PatchSettings, modality: str, source: Mapping[str, Any], model: str
) -> dict[str, Any]:
    """The content of metrics.json of a patch run.

    Args:
        merged: all images.
        chosen: settings.
        modality: "rgb", "depth" or "both".
        source: where the patches come from.
        model: that was measured.

    Raises:
        DataError: no image has a place for the patch.
    """
    kept, without = with_place(merged)
    states = [state for state in STATES if f"{state}/all" in kept.counts]
    found = {
        "definitions": definitions(),
        "protocols": PROTOCOLS,
        "goal": chosen.goal,
        "rule": RULES[chosen.goal],
        "modality": modality,
        "depth_mode": chosen.depth_mode if modality != "rgb" else None,
        "physical": modality == "rgb" or chosen.depth_mode in PHYSICAL,
        "size": chosen.size,
        "where": chosen.where,
        "transforms": chosen.transforms,
        "images": len(kept.ids),
        "no_place": without,
        "covered": float(np.mean([row["covered"] for row in kept.rows])),
        "stretch": max(row["stretch"] for row in kept.rows),
        "states": {state: _state(kept, state) for state in states},
        "effects": _effects(kept.rows, states),
        "source": dict(source),
    }
    return found | {"notes": _notes(found, model)}


def patch_table(metrics: Mapping[str, Any]) -> str:
    """A row for each state, and the effect: harm less that of the worst control.

    Args:
        metrics: content of a run's metrics.json.
    """
    heads = [f"{title(name)} {_WORDS[region]} {better(name)}" for name, region in _SHOWN]
    rows = [["", "", *heads, "reached"]]
    for state, own in metrics["states"].items():
        values = [own["regions"][region]["raw"].get(name) for name, region in _SHOWN]
        rows.append([STATES[state], "", *map(_number, values), str(own["reached"])])
    effects = {(one["measure"], one["region"]): one for one in metrics["effects"]}
    chosen = [effects.get(key) for key in _SHOWN]
    rows.append(["effect", "", *(_signed(one) for one in chosen), ""])
    lines = align(rows)
    first = effects.get(("iou_bin", "rest"))
    if first is not None:
        lines.append(
            f"effect: loss under the patch less that under the worst control ({STATES[first['control']]}); "
            f"IoU R {first['mean']:+.3f} [{first['low']:+.3f}, {first['high']:+.3f}]"
        )
    lines.append(f"reached: {metrics['rule']}; of {metrics['images']} images")
    if metrics["no_place"]:
        lines.append(f"no place for a patch, left out of all columns: {', '.join(metrics['no_place'])}")
    lines += [f"note    {text}" for text in metrics["notes"]]
    return "\n".join(lines)


def _state(kept: Piece, state: str) -> dict[str, Any]:
    return {
        "title": STATES[state],
        "reached": count(kept.rows, state),
        "on_patch": float(np.mean([row[f"{state}_on_patch"] for row in kept.rows])),
        "regions": {region: region_values(kept.counts[f"{state}/{region}"], region) for region in REGIONS},
    }


def _effects(rows: Sequence[Row], states: Sequence[str]) -> list[dict[str, Any]]:
    """For each measure and region the mean harm of the patch beyond that of the worst control, raw protocol."""
    found = []
    for region in REGIONS:
        for measure in measures_of(region):
            harms = {state: _harm(rows, state, measure, region) for state in CONTROLS if state in states}
            own = _harm(rows, "patched", measure, region)
            if len(own) == 0 or not harms:
                continue
            worst = max(harms, key=lambda state: float(harms[state].mean()))
            interval = paired_change(harms[worst], own)
            found.append(
                {
                    "measure": measure, "region": region, "harm": float(own.mean()), "control": worst,
                    "control_harm": float(harms[worst].mean()), "mean": interval.mean, "low": interval.low,
                    "high": interval.high,
                }
            )  # fmt: skip
    return found


def _harm(rows: Sequence[Row], state: str, measure: str, region: str) -> np.ndarray:
    """By how much each image is worse than clean, (N,); images whose object is not in the region are left out."""
    names = [column(one, measure, region, "raw") for one in ("clean", state)]
    pairs = np.array([[row[name] for name in names] for row in rows if row[names[0]] is not None], float).reshape(-1, 2)
    harm: np.ndarray = pairs[:, 0] - pairs[:, 1] if better(measure) == "up" else pairs[:, 1] - pairs[:, 0]
    return harm


def _notes(found: Mapping[str, Any], model: str) -> list[str]:
    """What a reader must know of the numbers."""
    notes, source = [], found["source"]
    if not found["physical"]:
        notes.append(f"depth mode {found['depth_mode']} is digital only: no object has such a surface")
    if found["stretch"] > 0:
        notes.append(
            f"a loader that stretches each depth map to its own range would move depth outside the patch by up to "
            f"{found['stretch']:.3f}; the numbers are for one that does not"
        )
    made = source.get("made_model")
    if made is not None and made != model:
        notes.append(f"made for {made} and measured on {model}: a transfer")
    return notes


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _signed(effect: Mapping[str, Any] | None) -> str:
    return "" if effect is None else f"{effect['mean']:+.3f}"
