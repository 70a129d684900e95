"""From the rows and counts of all images to the data set's values under attack."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rgbdsod.attacks.table import ATTACKS
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.definitions import PROTOCOLS, definitions
from rgbdsod.run.health import row_checks
from rgbdsod.run.measure import changes, set_values
from rgbdsod.run.patched import with_place
from rgbdsod.run.pieces import Piece

Row = dict[str, Any]

_AVERAGED = ("linf", "l2", "l1", "l0", "psnr", "ssim")


def attack_metrics(merged: Piece, plan: AttackPlan) -> dict[str, Any]:
    """The content of metrics.json of an attack.

    Args:
        merged: all images, one row for each radius.
        plan: what was done.
    """
    merged, left_out = with_place(merged)
    turns = [merged.rows[turn :: len(plan.radii)] for turn in range(len(plan.radii))]
    clean = merged.counts["clean"]
    return {
        "definitions": definitions(),
        "protocols": PROTOCOLS,
        "attack": plan.settings.attack,
        "modality": plan.modality,
        "clean": set_values(clean, turns[0], "clean"),
        "results": [_result(merged, rows, turn, plan) for turn, rows in enumerate(turns)],
        "worst": _worst(merged, turns),
        "health": row_checks(turns[-1], plan),
        **({"no_place": left_out, "images": len(merged.ids)} if left_out else {}),
    }


def worst_rows(rows: Sequence[Row], ids: Sequence[str]) -> list[Row]:
    """For each image the row whose raw IoU is lowest; among equals the lowest raw S, then the largest eps."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(row)
    return [min(by_id[image], key=_quality) for image in ids]


def _quality(row: Row) -> tuple[float, float, float]:
    eps = sum(value for name, value in row.items() if name.startswith("eps_"))
    return row["attacked_iou_bin_raw"], row["attacked_sm_raw"], -eps


def _worst(merged: Piece, turns: Sequence[Sequence[Row]]) -> dict[str, Any]:
    """Values of the data set where each image is under the radius that hurt it most."""
    worst = worst_rows(merged.rows, merged.ids)
    chosen = [next(t for t, rows in enumerate(turns) if rows[i] is row) for i, row in enumerate(worst)]
    counts = np.stack([merged.counts[f"attacked/{turn}"][i] for i, turn in enumerate(chosen)])
    return set_values(counts, worst, "attacked") | {"fooled": sum(row["fooled"] for row in worst)}


def _result(merged: Piece, rows: Sequence[Row], turn: int, plan: AttackPlan) -> dict[str, Any]:
    """One radius."""
    return {
        "budget": {name: _budget(rows, name, plan.norm) for name in plan.inputs},
        "parameters": {name: value for name, value in plan.parameters.items() if value is not None},
        "objective": plan.settings.objective,
        "goal": plan.settings.goal,
        "attacked": set_values(merged.counts[f"attacked/{turn}"], rows, "attacked"),
        "float": set_values(merged.counts[f"float/{turn}"], rows, "float"),
        "change": changes(rows),
        "fooled": sum(row["fooled"] for row in rows),
        "fooled_before": sum(row["fooled_before"] for row in rows),
        "fooled_float": sum(row["fooled_float"] for row in rows),
        "success": plan.success,
        "smallest": _smallest(rows, plan),
        "perturbation": {name: _distances(rows, name) for name in plan.attacked},
        "passes": {kind: _mean([row[kind] for row in rows]) for kind in ("forward", "backward")},
    }


def _budget(rows: Sequence[Row], name: str, norm: str) -> dict[str, Any]:
    """What was allowed, and the largest change that the files hold."""
    return {"norm": norm, "eps": rows[0][f"eps_{name}"], "measured": max(row[f"{name}_{norm}"] for row in rows)}


def _smallest(rows: Sequence[Row], plan: AttackPlan) -> dict[str, float | int | None] | None:
    """For attacks that look for the smallest change: how many they found, and the median size, before rounding."""
    if ATTACKS[plan.settings.attack].aim != "nearest":
        return None
    found = [row["distance"] for row in rows if row["distance"] is not None]
    return {"found": len(found), "median": float(np.median(found)) if found else None}


def _mean(counts: Sequence[int]) -> float:
    """Mean of whole numbers; itself whole where all are alike."""
    return counts[0] if len(set(counts)) == 1 else float(np.mean(counts))


def _distances(rows: Sequence[Row], name: str) -> dict[str, float | None]:
    """Means over the images; PSNR over those that changed."""
    found: dict[str, float | None] = {}
    for kind in _AVERAGED:
        values = [row[f"{name}_{kind}"] for row in rows if row[f"{name}_{kind}"] is not None]
        found[kind] = float(np.mean(values)) if values else None
    return found
