"""From images to the table: how well each map finds each kind of patch, and whom the evidence accuses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.defenses.patch.cross.features import BASELINES, FEATURES
from rgbdsod.errors import UsageError
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES, NOISY
from rgbdsod.run.patch_maps.decisions import (
    RGB_FAMILIES,
    Kept,
    apart,
    decision,
    family_of,
    inside_out,
    judged,
    left_out,
)
from rgbdsod.run.patch_maps.gallery import AWARE, INFLUENCE

Row = Mapping[str, Any]

COLUMNS = (*CONTROLS, *FAMILIES, NOISY)
"""What patches that know nothing, and stickers, are called."""

DECISION, LEFT_OUT = "decision", "decision, family left out"
"""Rows of the regression over all maps."""

HARM_KEPT = 0.5
"""Share of the unaware patches' harm that patches which know a map must do, or else they are none."""


def table_of(rows: Sequence[Row], counts: Kept, ids: Sequence[str]) -> dict[str, Any]:
    """Everything that the table shows.

    Args:
        rows: one for each image and column.
        counts: drawn pixels by column.
        ids: of the images, in the order of the counts.
    """
    columns = {
        name: [row for row in rows if row["column"] == name] for name in dict.fromkeys(r["column"] for r in rows)
    }
    placed = {row["id"] for row in rows if row["placed"]}
    harm = {name: _harm(own) for name, own in columns.items()}
    keep = np.array([at for at, sample in enumerate(ids) if sample in placed], dtype=np.int64)
    pixels = {name: value[keep] for name, value in counts.items()}
    maps = [_map(name, columns, harm) | {"apart": _apart(pixels, at)} for at, name in enumerate(FEATURES)]
    if len(keep) >= 2:  # one half fits, the other is judged
        maps += _decisions(pixels, maps[FEATURES.index(AWARE[INFLUENCE])]["aware"])
    attribution = {name: _right(columns[name], family.modality) for name, family in FAMILIES.items()}
    left = [sample for sample in dict.fromkeys(row["id"] for row in rows) if sample not in placed]
    fitted = decision(pixels, list(FAMILIES), np.arange(len(keep))).record() if len(keep) else None
    return {"maps": maps, "columns": list(COLUMNS), "harm": {name: harm[name] for name in COLUMNS},
            "attribution": attribution, "no_place": left, "decision": fitted}  # fmt: skip


def check_complete(found: Mapping[str, Any]) -> None:
    """Refuse a table without the baselines or without the stickers: it would say nothing of attacks.

    Raises:
        UsageError: with what is missing.
    """
    names = {row["map"] for row in found["maps"]}
    missing = [name for name in BASELINES if name not in names]
    missing += [name for name in CONTROLS if name not in found["columns"] or found["harm"].get(name) is None]
    if missing:
        raise UsageError(
            f'the table has no "{missing[0]}", and without baselines and stickers its numbers say nothing of attacks; '
            "measure them too"
        )


def _map(name: str, columns: Mapping[str, Sequence[Row]], harm: Mapping[str, float | None]) -> dict[str, Any]:
    """One map's row."""
    values = {column: _mean([row[name] for row in columns[column] if row["placed"]]) for column in COLUMNS}
    return {"map": name, "baseline": name in BASELINES, "auroc": values, "aware": _aware(name, columns, harm)}


def _aware(name: str, columns: Mapping[str, Sequence[Row]], harm: Mapping[str, float | None]) -> dict[str, Any] | None:
    """The patches that know the map and hide best from it, of those that still do half of the harm."""
    if name == "surface":
        found = _mean([row[name] for row in columns[NOISY] if row["placed"]])
        return {"column": NOISY, "weight": None, "auroc": found, "harm": harm[NOISY]}
    knowing = next((kind for kind, feature in AWARE.items() if feature == name), None)
    options = [column for column in columns if knowing is not None and column.startswith(f"{knowing} ")]
    options = [column for column in options if column.removeprefix(f"{knowing} ").replace(".", "").isdigit()]
    if not options:
        return None
    unaware = harm["rgb noise"]
    strong = [one for one in options if unaware is None or (harm[one] or 0.0) >= HARM_KEPT * unaware]
    scored = {one: _mean([row[name] for row in columns[one] if row["placed"]]) for one in strong}
    best = min((one for one in scored if scored[one] is not None), key=lambda one: scored[one] or 0.0, default=None)
    if best is None:
        return {"column": None, "weight": None, "auroc": None, "harm": None}
    weight = float(best.removeprefix(f"{knowing} "))
    return {"column": best, "weight": weight, "auroc": scored[best], "harm": harm[best]}


def _apart(pixels: Kept, feature: int) -> float | None:
    """How well one feature tells patches in RGB from stickers in RGB, mean over their families."""
    values = {name: value[..., feature] for name, value in pixels.items()}
    return _mean([apart(values[name], values) for name in RGB_FAMILIES])


def _decisions(pixels: Kept, own: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The rows of the regression, with all families and without the one it is tested on.

    Args:
        pixels: of images with a place.
        own: the knowing patches of C4, which stand for those that know a decision.
    """
    known, without = judged(pixels), left_out(pixels)
    rows = []
    for name in (DECISION, LEFT_OUT):
        chosen = {one: known if name == DECISION else without.get(family_of(one) or "", known) for one in pixels}
        aware = None
        if own is not None and own["column"] is not None:
            aware = {**own, "auroc": inside_out(chosen[own["column"]][own["column"]])}
        rows.append(
            {"map": name, "baseline": False, "aware": aware,
             "auroc": {column: inside_out(chosen[column][column]) for column in COLUMNS},
             "apart": _mean([apart(chosen[one][one], chosen[one]) for one in RGB_FAMILIES])}
        )  # fmt: skip
    return rows


def _harm(rows: Sequence[Row]) -> float | None:
    """How much IoU beside the patch a column takes."""
    pairs = [(row["clean_iou"], row["iou"]) for row in rows if row["placed"]]
    return _mean([one - other if one is not None and other is not None else None for one, other in pairs])


def _right(rows: Sequence[Row], truth: str) -> dict[str, Any]:
    """How often the right modality is accused: by the decision, and by what is under the patch."""
    own = [row for row in rows if row["placed"]]
    seen = [row["accused"] for row in own]
    return {
        "accused": _mean([float(one == truth) for one in seen]),
        "seen": _mean([float(one != "none") for one in seen]),
        "named": _mean([float(row["named"] == truth) for row in own]),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
