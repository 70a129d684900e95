"""A run of patch statistics to a section of a page, to tables and to CSV."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch_stats.figures import distances_figure, spectra_figure
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Estimate, Row, Table, print_cell
from rgbdsod.report.view import Fact, Figure, FigureGroup, Headline, Section

COMMAND = "patch stats"

_NOTE = (
    "Distance and kernel: appearances under light, print and wear from those of as many crops; N: how many. hf: share "
    "of the power above 0.25 cycles per pixel, in the file and as an image shows the patch (seen). Effect: the IoU "
    "beside the patch that it takes beyond its worst control, where the run says so."
)


def stats_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of patches beside photographs.

    Args:
        run: made by `COMMAND`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    metrics = run.metrics
    figures = (
        Figure(
            spectra_figure(metrics, f"{anchor}-spectra"), "Radial power, in the file, and dashed as an image shows it"
        ),
        Figure(
            distances_figure(metrics, f"{anchor}-distances"),
            "Distance from crops, and strength against it where several sets have a known effect",
        ),
    )
    return Section(
        anchor=anchor,
        title=f"Patches beside photographs of {metrics['reference']}",
        kicker=describe.kicker(run),
        lede=_lede(metrics),
        facts=(*_facts(metrics), *describe.machine_facts(run)),
        notes=tuple(metrics["warnings"]),
        headlines=tuple(Headline(own["id"], print_cell(own["distance"]["frechet"])) for own in metrics["sets"][:4]),
        headline_note=f"{metrics['name']} of appearances from crops.",
        tables=tuple(stats_tables(run)),
        figures=(FigureGroup("Spectra and distances", figures),),
        record=describe.record_blocks(run),
    )


def stats_tables(run: Run) -> list[Table]:
    """A row for each set of patches, and for what is measured beside them."""
    metrics = run.metrics
    columns = (
        Column("", "text"), Column("patches"), Column("N"), Column(metrics["name"], better="down"), Column("kernel"),
        Column("hf"), Column("slope"), Column("hf seen"), Column("radius"), Column("effect", "change"),
    )  # fmt: skip
    rows = tuple(Row(_cells(own)) for own in (*metrics["sets"], *metrics["beside"]))
    return [Table("Beside photographs", columns, rows, _NOTE)]


def stats_csv(runs: Sequence[Run]) -> str:
    """A line for each set and for what is beside it, every digit."""
    lines = [
        {"run": run.path.name, **_flat(own)} for run in runs for own in (*run.metrics["sets"], *run.metrics["beside"])
    ]
    text = StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _flat(own: Mapping[str, Any]) -> dict[str, Any]:
    """A row in which every part of a document is a column."""
    found: dict[str, Any] = {}
    for name, value in own.items():
        if isinstance(value, Mapping):
            found |= {f"{name}_{key}": part for key, part in value.items()}
        else:
            found[name] = value
    return found


def _cells(own: Mapping[str, Any]) -> tuple[Cell, ...]:
    distance, file, seen, effect = own["distance"], own["file"] or {}, own.get("seen") or {}, own.get("effect")
    known = None if effect is None else Estimate(effect["mean"], effect["low"], effect["high"])
    return (
        own["id"], own.get("patches"), distance["appearances"], distance["frechet"], distance["kernel"],
        file.get("hf"), file.get("slope"), seen.get("hf"), own.get("radius"), known,
    )  # fmt: skip


def _facts(metrics: Mapping[str, Any]) -> tuple[Fact, ...]:
    side = f"{metrics['side']}x{metrics['side']}"
    return (
        Fact("Photographs", metrics["reference"], f"{metrics['photographs']} of them, crops of {side}"),
        Fact("Embedder", metrics["embedder"], f"{metrics['dimension']} numbers, printed as {metrics['name']}"),
    )


def _lede(metrics: Mapping[str, Any]) -> str:
    """How far the nearest and the farthest are, beside noisy crops."""
    beside = {own["id"]: own["distance"]["frechet"] for own in metrics["beside"]}
    ranked = sorted(metrics["sets"], key=lambda own: own["distance"]["frechet"])
    words = [f"{own['id']} is {print_cell(own['distance']['frechet'])} away" for own in (ranked[0], ranked[-1])]
    return (
        f"{' and '.join(dict.fromkeys(words))}; other crops are {print_cell(beside['crops'])}, crops under noise "
        f"of 0.3 {print_cell(beside['noisy crops'])} ({metrics['name']})."
    )
