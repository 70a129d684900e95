"""The figures of a run: which lines, which captions."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.report import figures
from rgbdsod.report.reading import Run
from rgbdsod.report.training import validations
from rgbdsod.report.values import attacked_values, clean_values, curve, results, rows_of
from rgbdsod.report.view import Figure, FigureGroup, Key
from rgbdsod.report.wording import show_radii

_THRESHOLDS = [(255 - i) / 255 for i in range(256)]
_MOST_LINES = 6


def figure_groups(run: Run, prefix: str) -> tuple[FigureGroup, ...]:
    """Curves; with an attack also the damage of each image, and with several radii the values against the radius."""
    found = results(run)
    sets = {"clean": run.metrics["clean"]}
    if len(found) == 1:
        sets["attacked"] = found[0]["attacked"]
    else:
        sets |= {show_radii(own["budget"]): own["attacked"] for own in found[: _MOST_LINES - 1]}
    groups = [curve_group(f"{prefix}-curve", sets, f"Benchmark protocol, means over {run.metrics['images']} images.")]
    if len(found) > 2:
        groups.append(_radius_group(run, f"{prefix}-radius"))
    if found:
        groups.append(_damage_group(run, f"{prefix}-damage"))
    return tuple(groups)


def curve_group(prefix: str, sets: Mapping[str, Mapping[str, Any]], note: str) -> FigureGroup:
    """Precision-recall, F and E curves of several sets of values, by name."""
    names = ", ".join(sets)
    pr = {name: (curve(own, "recall"), curve(own, "precision")) for name, own in sets.items()}
    made = [
        Figure(
            figures.curves(f"{prefix}-pr", f"Precision against recall: {names}", pr, x="recall", y="precision"),
            "Precision against recall",
        )
    ]
    for key, label, caption in (
        ("fm", "F-measure", "F-measure (β² = 0.3) against the threshold"),
        ("em", "E-measure", "E-measure against the threshold"),
    ):
        lines = {name: (_THRESHOLDS, curve(own, key)) for name, own in sets.items()}
        svg = figures.curves(f"{prefix}-{key}", f"{caption}: {names}", lines, x="threshold", y=label)
        made.append(Figure(svg, caption))
    return FigureGroup("Curves", tuple(made), _legend(list(sets)), note)


def _legend(names: list[str]) -> tuple[Key, ...]:
    return tuple(Key(name, figures.variable(name, place)) for place, name in enumerate(names)) if len(names) > 1 else ()


def _radius_group(run: Run, prefix: str) -> FigureGroup:
    found = results(run)
    labels = ["0", *(show_radii(own["budget"]) for own in found)]
    names = {"sm": "S-measure", "iou_bin": "IoU", "mae": "MAE"}
    lines = {}
    for key, label in names.items():
        values = [clean_values(run).get(key), *(attacked_values(own).get(key) for own in found)]
        lines[label] = (list(range(len(values))), [float("nan") if value is None else value for value in values])
    svg = figures.history(prefix, "Measures against the radius", lines, x="radius", y="value", labels=labels)
    keys = _legend(list(lines))
    return FigureGroup("By radius", (Figure(svg, "Benchmark protocol; radius 0 is the clean input."),), keys)


def _damage_group(run: Run, prefix: str) -> FigureGroup:
    rows = rows_of(run, len(results(run)) - 1)
    rows.sort(key=lambda row: float(row["attacked_sm_raw"]) - float(row["clean_sm_raw"]))
    ids = [str(row["id"]) for row in rows]
    clean, after = ([float(row[f"{view}_sm_raw"]) for row in rows] for view in ("clean", "attacked"))
    svg = figures.damage(prefix, "S-measure of each image before and after the attack", ids, clean, after)
    caption = "S-measure of each image before and after the attack (raw protocol), largest drop first."
    keys = (Key("clean", "clean"), Key("attacked", "attacked"))
    return FigureGroup("Damage per image", (Figure(svg, caption, strip=True),), keys)


def training_groups(run: Run, prefix: str) -> tuple[FigureGroup, ...]:
    """Loss, learning rate and validation measures over the iterations."""
    steps = [event for event in run.events if event.get("event") == "train" and "loss" in event]
    checks = validations(run)
    made = []
    for key, label in (("loss", "training loss"), ("lr", "learning rate")):
        line = [(event["iteration"], event[key]) for event in steps if key in event]
        if len(line) > 1:
            x, y = zip(*line, strict=True)
            svg = figures.history(f"{prefix}-{key}", label, {label: (x, y)}, x="iteration", y=label)
            made.append(Figure(svg, label.capitalize()))
    groups = [FigureGroup("Training", tuple(made))] if made else []
    names = {"sm": "S-measure", "fm_max": "max F", "em_max": "max E", "iou_bin": "IoU", "mae": "MAE"}
    lines = {
        label: ([event["iteration"] for event in checks], [event[key] for event in checks])
        for key, label in names.items()
        if checks and all(key in event for event in checks)
    }
    if lines:
        svg = figures.history(f"{prefix}-validation", "Validation measures", lines, x="iteration", y="value")
        note = "Benchmark protocol; MAE is better when lower, the others when higher."
        groups.append(FigureGroup("Validation", (Figure(svg, note),), _legend(list(lines))))
    return tuple(groups)
