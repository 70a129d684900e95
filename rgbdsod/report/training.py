"""Numbers of a training: its validations, and the best of them."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Better, Column, Row, Table, print_cell
from rgbdsod.report.view import Headline

_MEASURES: dict[str, tuple[str, Better]] = {
    "sm": ("S-measure", "up"),
    "mae": ("MAE", "down"),
    "fm_max": ("max F", "up"),
    "em_max": ("max E", "up"),
    "iou_bin": ("IoU", "up"),
}


def validations(run: Run) -> list[Mapping[str, Any]]:
    """The log's validations, oldest first."""
    return [event for event in run.events if event.get("event") == "validation"]


def best_validation(run: Run) -> Mapping[str, Any]:
    """The validation with the highest S-measure, which selects the best weights; empty without any."""
    return max(validations(run), key=lambda event: float(event.get("sm", 0.0)), default={})


def training_headlines(run: Run) -> tuple[Headline, ...]:
    """The best validation."""
    best = best_validation(run)
    return tuple(
        Headline(
            f"{label} {'↑' if better == 'up' else '↓'}",
            print_cell(best[name]),
            more=f"at iteration {best['iteration']}",
        )
        for name, (label, better) in _MEASURES.items()
        if name in best
    )


def training_table(run: Run) -> Table | None:
    """All validations."""
    found = validations(run)
    names = [name for name in _MEASURES if found and all(name in event for event in found)]
    if not names:
        return None
    heads = (Column("iteration", "text"), *(Column(_MEASURES[name][0], better=_MEASURES[name][1]) for name in names))
    rows = tuple(Row((str(event["iteration"]), *(event[name] for name in names))) for event in found)
    return Table("Every validation", heads, rows, "benchmark protocol")
