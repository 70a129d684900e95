"""A run on input defences to a section of a page, to tables and to CSV."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch.page import patch_csv
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Estimate, Row, Table, change, print_cell
from rgbdsod.report.view import Headline, Section

COMMAND = "defend"

_VIEWS = ("clean", "noise", "none", "unaware", "aware")
_NOTE = (
    "Noise: of the same radius. None: under the attack, without a defence. Unaware: the same images, behind the "
    "defence. Aware: the worst for each image of that attack, of those through the defence, and of what harms other "
    "rows. Gain: over no defence, both aware; *: its 95 % interval (paired bootstrap over images) excludes 0. "
    "Dropped: share of attacked images of which an input was replaced, under the last attack."
)
_WEAKER = "weaker: the attack that knows the defence is broken, so the row says nothing of robustness."

defense_csv = patch_csv
"""A line for each image and defence, every digit."""


def defense_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of a run on input defences.

    Args:
        run: made by `COMMAND`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    metrics = run.metrics
    return Section(
        anchor=anchor,
        title=f"Defences of {metrics['model']} against noise",
        kicker=describe.kicker(run),
        lede=_lede(metrics),
        facts=describe.facts(run),
        notes=tuple(dict.fromkeys((*describe.notes(run), *metrics.get("warnings", ())))),
        headlines=_headlines(metrics),
        headline_note="IoU: under the attack that does not know the defence, and under the worst of all.",
        tables=tuple(defense_tables(run)),
        record=describe.record_blocks(run),
    )


def defense_tables(run: Run) -> list[Table]:
    """One row for each defence."""
    columns = (
        Column("defense", "text"), *(Column(view, better="up", group="IoU") for view in _VIEWS),
        Column("gain", "change"), Column("dropped"), Column("s/image"), Column("", "text"),
    )  # fmt: skip
    rows = tuple(Row(_cells(own, _seconds(run, own["row"]))) for own in run.metrics["defenses"])
    marked = any(own["weaker"] for own in run.metrics["defenses"])
    return [Table("Defences", columns, rows, f"{_NOTE} {_WEAKER}" if marked else _NOTE)]


def _cells(own: Mapping[str, Any], seconds: float | None) -> tuple[Cell, ...]:
    values = tuple(own[view]["iou"] if view in own else None for view in _VIEWS)
    gain = Estimate(own["gain"], own["gain_low"], own["gain_high"])
    return (own["row"], *values, gain, _last(own)["dropped"], seconds, "weaker" if own["weaker"] else "")


def _last(own: Mapping[str, Any]) -> Mapping[str, float]:
    found: Mapping[str, float] = own.get("aware", own["unaware"])
    return found


def _seconds(run: Run, label: str) -> float | None:
    values = [float(row["seconds"]) for row in run.rows if row["row"] == label]
    return fmean(values) if values else None


def _lede(metrics: Mapping[str, Any]) -> str:
    """What the attack that knows the best defence leaves of it."""
    bare, *rest = metrics["defenses"]
    text = (
        f"The attack takes the IoU of the undefended network from {print_cell(bare['clean']['iou'])} to "
        f"{print_cell(bare['unaware']['iou'])}"
    )
    if not rest:
        return f"{text}."
    best = max(rest, key=lambda own: own["unaware"]["iou"])
    known = f"; against attacks that know it {print_cell(best['aware']['iou'])}" if "aware" in best else ""
    return (
        f"{text}. Behind {best['row']}, the best defence against it, it is {print_cell(best['unaware']['iou'])}{known}."
    )


def _headlines(metrics: Mapping[str, Any]) -> tuple[Headline, ...]:
    rows = metrics["defenses"][1:5]
    return tuple(
        Headline(
            own["row"], print_cell(own["unaware"]["iou"]), print_cell(_last(own)["iou"]),
            f"{print_cell(change(own['clean']['iou'], _last(own)['iou']), 'change')} from clean",
        )
        for own in rows
    )  # fmt: skip
