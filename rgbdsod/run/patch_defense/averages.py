"""From rows of images to rows of a table of defences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.run.patch_defense.aware.checks import CHECKS
from rgbdsod.run.patch_defense.controls import CONTROLS

Row = Mapping[str, Any]

VIEWS = ("clean", *CONTROLS, "none", "unaware", "aware", "alone")
"""What is laid on the images; "none" is the patch without a defence, "alone" the attacks that knew the defence
from their start on."""

SLACK = 0.005
"""How much less harm an attack that knows the defence may do before its row is marked: what rounding and draws move."""


def by_defense(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each defence, in the order of the table."""
    for label in dict.fromkeys(row["row"] for row in rows):
        yield label, [row for row in rows if row["row"] == label]


def means(rows: Sequence[Row], view: str, measures: Sequence[str]) -> dict[str, float | None] | None:
    """Means over the images where a measure is defined; None where there was no such view.

    Args:
        rows: of one defence.
        view: of `VIEWS`.
        measures: names, as in the rows after the view's.
    """
    if f"{view}_held" not in rows[0]:
        return None
    found: dict[str, float | None] = {}
    for name in measures:
        values = [row[f"{view}_{name}"] for row in rows if row[f"{view}_{name}"] is not None]
        found[name] = float(np.mean(values)) if values else None
    return found


def views_of(rows: Sequence[Row]) -> list[str]:
    """The views that a defence's rows have."""
    return [view for view in VIEWS if f"{view}_held" in rows[0]]


def masks(rows: Sequence[Row]) -> dict[str, Any]:
    """How well a defence found the patches, what it hides of objects, and of clean images; None for filters."""
    found: dict[str, Any] = {}
    for prefix in ("", "aware_"):
        pairs = [
            (row[f"{prefix}mask_both"], row[f"{prefix}mask_either"]) for row in rows if f"{prefix}mask_both" in row
        ]
        seen = bool(pairs) and pairs[0][0] is not None
        either = sum(pair[1] for pair in pairs) if seen else 0
        found[f"{prefix}smiou"] = sum(pair[0] for pair in pairs) / either if either else None
        found[f"{prefix}nmiou"] = float(np.mean([both / max(any_, 1) for both, any_ in pairs])) if seen else None
    for name in ("object_masked", "aware_object_masked", "clean_masked"):
        values = [row[name] for row in rows if row.get(name) is not None]
        found[name] = float(np.mean(values)) if values else None
    return found


def weaker(rows: Sequence[Row]) -> bool:
    """Whether the attacks that know the defence do less harm than the one that does not: then they are broken."""
    if "alone_held" not in rows[0]:
        return False
    alone, unaware = (float(np.mean([row[f"{view}_held"] for row in rows])) for view in ("alone", "unaware"))
    return alone > unaware + SLACK


def checks(rows: Sequence[Row]) -> dict[str, Any]:
    """What proves that the attacks on a defence work; None where nothing was tested.

    Returns:
        "check_whole": the share of images that a patch on everything breaks; "check_longer": how much better images
        stand under twice the steps; "check_gradient": the lowest cosine of gradient and differences;
        "check_controls": how much worse images stand under the strongest control than under the attacks; "passes":
        forward and backward passes of all attacks on an image.
    """
    found: dict[str, Any] = {}
    for name in CHECKS:
        values = [row[name] for row in rows if row.get(name) is not None]
        made = min(values) if name == "check_gradient" and values else float(np.mean(values)) if values else None
        found[name] = made
    known = [name for name in CONTROLS if f"{name}_held" in rows[0]]
    held = {name: float(np.mean([row[f"{name}_held"] for row in rows])) for name in known}
    last = "aware_held" if "aware_held" in rows[0] else "unaware_held"
    attacked = float(np.mean([row[last] for row in rows]))
    found["check_controls"] = max(0.0, attacked - min(held.values())) if held else None
    passes = [row["aware_passes"] for row in rows if "aware_passes" in row]
    return {**found, "passes": float(np.mean(passes)) if passes else None}


def effect(clean: float | None, attacked: float | None, controls: Mapping[str, float | None]) -> dict[str, Any]:
    """How much more an attack takes than the strongest control.

    Args:
        clean: the measure on clean images, higher is better.
        attacked: under the patch.
        controls: under each control.

    Returns:
        "effect", the drop less the largest control's, and "control", the name of that control; None where unknown.
    """
    known = {name: value for name, value in controls.items() if value is not None}
    if clean is None or attacked is None or not known:
        return {"control": None, "effect": None}
    strongest = min(known, key=lambda name: known[name])
    return {"control": strongest, "effect": known[strongest] - attacked}
