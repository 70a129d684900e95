"""A benchmark to a section of a page, to tables and to CSV."""

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.benchmark.document import (
    MEASURES,
    BenchDocument,
    Row,
    Target,
    attack_name,
    condition,
    estimate_of,
    short,
)
from rgbdsod.report.benchmark.drawing import colour_place, loss_figure
from rgbdsod.report.board.page import board_section, board_tables, is_board
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Table
from rgbdsod.report.tables import Row as TableRow
from rgbdsod.report.view import Fact, Figure, FigureGroup, Headline, Key, Section
from rgbdsod.report.wording import listing, show_eps

COMMAND = "bench"

_MOST_NAMES = 8

_LOSS = "Relative loss"
_SHARE = "Share fooled"
_NOTE = (
    "Relative loss: (clean - attacked) / clean of the main measure, S-measure of maps or accuracy of classes. Fooled: "
    "of the images that were right before (IoU of 0.5 or more; the true class), those that no longer are. 95 % "
    "intervals: images, and seeds where there are several, drawn with replacement; Wilson's for shares of one seed. "
    "Attack, steps, radius and rounding to 8 bit are the same for all; tasks, networks and measures are not, so "
    "compare how a loss grows, not who is better."
)


def bench_section(run: Run, anchor: str) -> Section:
    """All that a page shows of a benchmark, or of a leaderboard."""
    if is_board(run):
        return board_section(run, anchor)
    document = BenchDocument.of(run.metrics)
    return Section(
        anchor=anchor,
        title=f"Benchmark {document.suite}: {_networks(document)}",
        kicker=describe.kicker(run),
        lede=_lede(document),
        facts=_facts(run, document),
        notes=(*document.notes, *_gaps(document)),
        headlines=_headlines(document),
        headline_note=f"The main measure before the attack, and under the attack that hurt most. {_NOTE}",
        tables=(_crossed(document, "loss", _LOSS), _crossed(document, "share", _SHARE), *_failed(document)),
        figures=(_figures(document, anchor),),
        rows=_all_rows(document),
        record=describe.record_blocks(run),
    )


def bench_tables(run: Run) -> list[Table]:
    """Who loses how much, side by side; who is fooled; and every row. Of a leaderboard its own."""
    if is_board(run):
        return board_tables(run)
    document = BenchDocument.of(run.metrics)
    crossed = _crossed(document, "loss", _LOSS, _NOTE), _crossed(document, "share", _SHARE)
    return [*crossed, *_failed(document), _all_rows(document)]


def bench_csv(runs: Sequence[Run]) -> str:
    """A line for each row, every digit; of a leaderboard for each image of every cell."""
    text = StringIO()
    lines = [
        {"run": run.path.name, **row}
        for run in runs
        for row in (run.rows if is_board(run) else map(_flat, run.metrics["rows"]))
    ]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    """A row without nested values."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name in ("loss", "share"):
            flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        elif name == "parameters":
            flat[name] = " ".join(f"{key}={own}" for key, own in value.items())
        else:
            flat[name] = "; ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def _networks(document: BenchDocument) -> str:
    names = [short(name) for name in document.networks]
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return listing([*names[:_MOST_NAMES], *more])


def _gaps(document: BenchDocument) -> tuple[str, ...]:
    count = len(document.failures)
    return (f"{count} {'cell' if count == 1 else 'cells'} could not be measured; see the table of gaps",) * bool(count)


def _failed(document: BenchDocument) -> tuple[Table, ...]:
    """What is not in the table, and why."""
    if not document.failures:
        return ()
    rows = tuple(TableRow((own["cell"], own["error"])) for own in document.failures)
    return (Table("Gaps", (Column("cell", "text"), Column("why", "text")), rows),)


def _lede(document: BenchDocument) -> str:
    attacks = listing([attack_name(name) for name in document.attacks])
    radii = listing([show_eps(eps) for eps in sorted({row["eps"] for row in document.rows})])
    return f"{attacks} on {_networks(document)}, with radius {radii} in the attacked inputs' own range."


def _facts(run: Run, document: BenchDocument) -> tuple[Fact, ...]:
    """What was measured on what."""
    measured = [row for row in document.rows if row["images"]]
    data = {row["data"]: f"{row['images']} images" for row in measured}
    seeds = sorted({seed for row in measured for seed in row.get("seeds", ())})
    facts = [Fact(name.replace(",", ", "), text) for name, text in data.items()]
    facts += [Fact("seeds", ", ".join(map(str, seeds)))] if len(seeds) > 1 else []
    return (*facts, *describe.machine_facts(run))


def _headlines(document: BenchDocument) -> tuple[Headline, ...]:
    found = []
    for target in document.targets:
        row = document.worst(target)
        if row is None:
            continue
        lost = "" if row["loss"]["value"] is None else f"{row['loss']['value']:.0%} lost by "
        shown = (f"{row['clean']:.3f}", f"{row['attacked']:.3f}")
        found.append(Headline(f"{target.name}: {MEASURES[row['measure']]}", *shown, f"{lost}{condition(row)}"))
    return tuple(found)


def _crossed(document: BenchDocument, kind: str, title: str, note: str = "") -> Table:
    """Targets as rows, attacks and radii as columns."""
    places = [(attack, eps) for attack in document.attacks for eps in document.radii(attack)]
    columns = [Column(show_eps(eps), group=attack_name(attack)) for attack, eps in places]
    rows = []
    for target in document.targets:
        cells: list[Cell] = [estimate_of(document.find(target, attack, eps), kind) for attack, eps in places]
        rows.append(TableRow((*_names(document, target), *cells)))
    return Table(title, (*_heads(document), *columns), tuple(rows), note)


def _heads(document: BenchDocument) -> tuple[Column, ...]:
    names = ("network", "attacked", *(("data",) if document.several_data else ()))
    return tuple(Column(name, "text") for name in names)


def _names(document: BenchDocument, target: Target) -> tuple[str, ...]:
    return (short(target.network), target.modality, *((target.data,) if document.several_data else ()))


def _all_rows(document: BenchDocument) -> Table:
    heads = ("attack", "radius", "measure")
    numbers = (
        "clean",
        "under attack",
        "relative loss",
        "low",
        "high",
        "right before",
        "fooled",
        "share",
        "low",
        "high",
    )
    rows = []
    for row in document.rows:
        loss, share = (tuple(row[name].values()) for name in ("loss", "share"))
        names = (attack_name(row["attack"]), show_eps(row["eps"]), MEASURES[row["measure"]])
        own = _names(document, document.target_of(row))
        rows.append(TableRow((*own, *names, row["clean"], row["attacked"], *loss, row["held"], row["fooled"], *share)))
    columns = (*_heads(document), *(Column(name, "text") for name in heads), *map(Column, numbers))
    return Table("Every row", columns, tuple(rows), "one for each network, modality, attack and radius, over all seeds")


def _figures(document: BenchDocument, anchor: str) -> FigureGroup:
    colours = {target.network: f"run-{colour_place(document, target) + 1}" for target in document.targets}
    made = (
        Figure(loss_figure(document, "loss", f"{anchor}-loss", "relative loss"), "Relative loss.", strip=True),
        Figure(
            loss_figure(document, "share", f"{anchor}-share", "share fooled"), "Share of images fooled.", strip=True
        ),
    )
    note = "Dashed: RGB alone; dotted: depth alone; solid: all inputs of the network. Bars are 95 % intervals."
    return FigureGroup("By radius", made, tuple(Key(short(name), colour) for name, colour in colours.items()), note)
