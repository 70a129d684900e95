"""A run on defences to a section of a page, to tables and to CSV."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch.detections import REFERENCES, detection_gallery
from rgbdsod.report.patch.page import patch_csv
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Estimate, Row, Table, change, print_cell
from rgbdsod.report.view import Headline, Section

COMMANDS = ("patch defend", "patch evaluate")

_REASONS = (("no_place", "no place for a patch"), ("no_object", "nothing to attack"))
_VIEWS = ("clean", "control", "none", "unaware", "aware")
_NOTE = (
    "None: under the patch, without a defence. Unaware: the same patch, behind the defence. Aware: the worst for each "
    "image of that patch and of those made against the defence. Control: the most harmful of a grey card, noise, a "
    "natural crop and the patch shuffled. Effect: what the last attack takes beyond the control. Erased: share of the "
    "object that is masked under the worst patch. *: the 95 % interval of the effect (paired bootstrap over images) "
    "excludes 0."
)
_WEAKER = "weaker: the attack that knows the defence is broken, so the row says nothing of robustness."
_FOUND_NOTE = (
    "SmIoU: pixels of all images together. NmIoU: mean of the images. False: share of the other pixels masked."
)

guard_csv = patch_csv
"""A line for each image and defence, every digit."""


def guard_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of a run on defences.

    Args:
        run: made by one of `COMMANDS`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    metrics = run.metrics
    left = [f"Left out of all columns, {why}: {', '.join(metrics[key])}." for key, why in _REASONS if metrics.get(key)]
    return Section(
        anchor=anchor,
        title=_title(run),
        kicker=describe.kicker(run),
        lede=_lede(metrics),
        facts=describe.facts(run),
        notes=tuple(dict.fromkeys((*describe.notes(run), *metrics.get("warnings", ()), *left))),
        headlines=_headlines(metrics),
        headline_note=_headline_note(metrics),
        tables=tuple(guard_tables(run)),
        gallery=detection_gallery(run, page, shown) if "no_object" in metrics else None,
        record=describe.record_blocks(run),
    )


def guard_tables(run: Run) -> list[Table]:
    """One row for each defence."""
    metrics = run.metrics
    if "localisers" in metrics:
        return [_localisers(run)]
    columns = (
        Column("defense", "text"), *(Column(view, better="up", group=_measure(metrics)) for view in _VIEWS),
        Column("effect", "change"), Column("SmIoU"), Column("NmIoU"), Column("erased"), Column("s/image"),
        Column("", "text"),
    )  # fmt: skip
    rows = tuple(Row(_cells(own, _seconds(run, own["row"]), _head(metrics))) for own in metrics["defenses"])
    marked = any(own["weaker"] for own in metrics["defenses"])
    return [Table("Defences", columns, rows, f"{_NOTE} {_WEAKER}" if marked else _NOTE)]


def _localisers(run: Run) -> Table:
    names = ("smiou", "nmiou", "recall", "found", "touched", "false")
    columns = [Column("defense", "text"), Column("SmIoU"), Column("NmIoU"), Column("recall"), Column("found"),
               Column("touched"), Column("false"), Column("s/image")]  # fmt: skip
    rows = tuple(
        Row((own["row"], *(own[name] for name in names), _seconds(run, own["row"])))
        for own in run.metrics["localisers"]
    )
    return Table("Masks of the defences beside the true ones", tuple(columns), rows, _FOUND_NOTE)


def _cells(own: Mapping[str, Any], seconds: float | None, head: str) -> tuple[Cell, ...]:
    values = {view: own[view][head] for view in own if isinstance(own[view], Mapping) and head in own[view]}
    values["control"] = values.get(own["control"])
    effect = None if own["effect"] is None else Estimate(own["effect"], own.get("effect_low"), own.get("effect_high"))
    aware = own.get("aware_object_masked")  # runs from before this was measured lack it
    erased = own["object_masked"] if aware is None else aware
    found = (effect, own["smiou"], own["nmiou"], erased, seconds)
    return (own["row"], *(values.get(view) for view in _VIEWS), *found, "weaker" if own["weaker"] else "")


def _seconds(run: Run, label: str) -> float | None:
    values = [float(row["seconds"]) for row in run.rows if row["row"] == label]
    return fmean(values) if values else None


def _head(metrics: Mapping[str, Any]) -> str:
    return "ap50" if "no_object" in metrics else "iou_rest"


def _measure(metrics: Mapping[str, Any]) -> str:
    return "AP50" if "no_object" in metrics else "IoU beside the patch"


def _title(run: Run) -> str:
    if "localisers" in run.metrics:
        return f"Where defences see the patches of {run.metrics['data']}"
    return f"Defences of {run.metrics['model']} against patches"


def _lede(metrics: Mapping[str, Any]) -> str:
    """What the attack that knows the best defence leaves of it."""
    if "localisers" in metrics:
        return f"{metrics['images']} photographs with a real patch."
    head, rows = _head(metrics), [own for own in metrics["defenses"] if own["defense"] not in REFERENCES]
    bare = metrics["defenses"][0]
    text = (
        f"The patches take {_measure(metrics)} of the undefended network from {print_cell(bare['clean'][head])} to "
        f"{print_cell(bare['unaware'][head])}"
    )
    known = [own for own in rows if "aware" in own and own["unaware"][head] is not None]
    if not known:
        return f"{text}."
    best = max(known, key=lambda own: own["unaware"][head])
    return (
        f"{text}. Behind {best['row']}, the best defence against them, it is {print_cell(best['unaware'][head])}; "
        f"against patches that know it {print_cell(best['aware'][head])}."
    )


def _headlines(metrics: Mapping[str, Any]) -> tuple[Headline, ...]:
    if "localisers" in metrics:
        return tuple(Headline(own["row"], print_cell(own["nmiou"])) for own in metrics["localisers"][:4])
    head = _head(metrics)
    rows = [own for own in metrics["defenses"] if own["defense"] not in REFERENCES][:4]
    return tuple(
        Headline(
            own["row"], print_cell(own["unaware"][head]), print_cell(own.get("aware", own["unaware"])[head]),
            f"{print_cell(change(own['clean'][head], own.get('aware', own['unaware'])[head]), 'change')} from clean",
        )
        for own in rows
    )  # fmt: skip


def _headline_note(metrics: Mapping[str, Any]) -> str:
    if "localisers" in metrics:
        return "Mean IoU of the images' masks."
    return f"{_measure(metrics)}: under patches that do not know the defence, and under the worst of all."
