"""Several runs side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.metrics.significance import paired_change
from rgbdsod.report.describe import short
from rgbdsod.report.graphs import curve_group
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Row, Table
from rgbdsod.report.values import (
    PROTOCOLS,
    attacked_values,
    better,
    clean_values,
    results,
    results_or_none,
    rows_of,
    title,
)
from rgbdsod.report.view import FigureGroup
from rgbdsod.report.wording import show_radii

_COLUMNS = ("sm", "mae", "fm_max", "iou_bin")
_PAIRED = ("sm", "mae", "wfm", "iou_bin")
_MOST_LINES = 6


def labels(runs: Sequence[Run]) -> list[str]:
    """A name for each run; the folder's where the description alone would not tell them apart."""
    names = [short(run) for run in runs]
    return [
        f"{name} ({run.path.name})" if names.count(name) > 1 else name for name, run in zip(names, runs, strict=True)
    ]


def overview(runs: Sequence[Run], protocol: str) -> Table:
    """A row for each run and radius: clean and attacked values, and how many images were fooled."""
    first = runs[0]
    names = [name for name in _COLUMNS if all(name in clean_values(run, protocol) for run in runs)]
    heads = [Column("run", "text"), Column("radius", "text"), Column("images")]
    for name in names:
        heads += [Column(f"{title(first, name)} {view}", better=better(first, name)) for view in ("clean", "attacked")]
    rows = [
        Row((label, *cells, *_pairs(run, result, names, protocol), None if result is None else result["fooled"]))
        for label, run in zip(labels(runs), runs, strict=True)
        for result in results_or_none(run)
        for cells in [(None if result is None else show_radii(result["budget"]), int(run.metrics["images"]))]
    ]
    return Table(f"{protocol.capitalize()} protocol", (*heads, Column("fooled", better="down")), tuple(rows))


def _pairs(run: Run, result: Mapping[str, Any] | None, names: Sequence[str], protocol: str) -> list[Cell]:
    clean = clean_values(run, protocol)
    after: Mapping[str, float] = {} if result is None else attacked_values(result, protocol)
    return [cell for name in names for cell in (clean[name], after.get(name))]


def against_first(runs: Sequence[Run]) -> list[Table]:
    """Every other run against the first, metric by metric."""
    names = labels(runs)
    return [_against(runs[0], run, names[0], name) for run, name in zip(runs[1:], names[1:], strict=True)]


def _against(first: Run, other: Run, first_label: str, other_label: str) -> Table:
    """Values of two runs (under attack where there is one), and the change with its interval over the same images."""
    before, after = _values(first), _values(other)
    paired = _paired(first, other)
    rows = []
    for name in before:
        if name not in after:
            continue
        interval = paired.get(name)
        cells = (title(first, name), before[name], after[name], after[name] - before[name])
        ends = (None, None) if interval is None else interval
        rows.append(Row((*cells, *ends), better(first, name)))
    same = "95 % interval of the mean change over the same images (paired bootstrap)"
    note = (
        same if paired else "not the same images, so no interval: differences also hold what differs between the data"
    )
    return Table(
        f"{other_label} against {first_label}",
        (
            Column("metric", "text"),
            Column("first"),
            Column("other"),
            Column("change", "change"),
            Column("from", "change"),
            Column("to", "change"),
        ),
        tuple(rows),
        f"benchmark protocol, last radius; {note}",
    )


def _values(run: Run) -> Mapping[str, float]:
    """Values under the last radius, clean values where nothing was attacked."""
    found = results(run)
    return attacked_values(found[-1]) if found else clean_values(run)


def _paired(first: Run, other: Run) -> dict[str, tuple[float, float]]:
    """Interval of the mean change of each metric; empty where the images are not the same."""
    if not _same_images(first, other):
        return {}
    mine, yours = _by_id(first), _by_id(other)
    found = {}
    for name in _PAIRED:
        columns = (f"{_view(first)}_{name}", f"{_view(other)}_{name}")
        if any(columns[0] not in row for row in mine.values()) or any(columns[1] not in row for row in yours.values()):
            continue
        a, b = np.array([[mine[key][columns[0]], yours[key][columns[1]]] for key in mine], np.float64).T
        interval = paired_change(a, b)
        found[name] = (interval.low, interval.high)
    return found


def _same_images(first: Run, other: Run) -> bool:
    prints = [(run.record.get("data") or {}).get("fingerprint") for run in (first, other)]
    return prints[0] == prints[1] and set(_by_id(first)) == set(_by_id(other))


def _by_id(run: Run) -> dict[str, Mapping[str, Any]]:
    return {str(row["id"]): row for row in rows_of(run, max(0, len(results(run)) - 1))}


def _view(run: Run) -> str:
    return "attacked" if results(run) else "clean"


def comparison_figures(runs: Sequence[Run]) -> tuple[FigureGroup, ...]:
    """Curves of the runs over one another."""
    chosen = runs[:_MOST_LINES]
    sets = {
        label: (results(run)[-1]["attacked"] if results(run) else run.metrics["clean"])
        for label, run in zip(labels(chosen), chosen, strict=True)
    }
    note = "Benchmark protocol; under attack (last radius) where there is one."
    if len(runs) > _MOST_LINES:
        note += f" The first {_MOST_LINES} of {len(runs)} runs."
    return (curve_group("compare", sets, note),)


def comparison_tables(runs: Sequence[Run], *, against: bool) -> tuple[Table, ...]:
    """All tables of a comparison; `against` adds every other run against the first."""
    tables = [overview(runs, protocol) for protocol in PROTOCOLS]
    return (*tables, *(against_first(runs) if against else ()))
