"""From images to the table: how well each map finds each kind of patch, and whom the evidence accuses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.defenses.patch.cross.features import BASELINES, FEATURES
from rgbdsod.errors import UsageError
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES, NOISY
from rgbdsod.run.patch_maps.decisions import Kept, decision, held_out
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
    maps = [_map(name, columns, harm) for name in FEATURES]
    keep = np.array([at for at, sample in enumerate(ids) if sample in placed], dtype=np.int64)
    pixels = {name: value[keep] for name, value in counts.items()}
    if len(keep) >= 2:  # one half fits, the other is judged
        own = maps[FEATURES.index(AWARE[INFLUENCE])]["aware"]
        maps += [_decision(name, pixels, own, leave_out=name == LEFT_OUT) for name in (DECISION, LEFT_OUT)]
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


def _decision(name: str, pixels: Kept, own: Mapping[str, Any] | None, *, leave_out: bool) -> dict[str, Any]:
    """The row of the regression; its knowing patches are those that know C4."""
    found = held_out(pixels, leave_out=leave_out)
    aware = None
    if own is not None and own["column"] is not None:
        aware = {**own, "auroc": found[own["column"]]}
    return {"map": name, "baseline": False, "auroc": {column: found[column] for column in COLUMNS}, "aware": aware}


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
