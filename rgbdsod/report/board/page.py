"""A leaderboard to a section of a page, and to tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.board.drawing import score_figure
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Estimate, Row, Table
from rgbdsod.report.view import Fact, Figure, FigureGroup, Headline, Key, Section
from rgbdsod.report.wording import listing, show_eps

Entry = Mapping[str, Any]

_SCHEMA = "rgbdsod.leaderboard/1"
_SCORE = (
    "Score: mean over images, modalities and radii of the worst-case IoU, which is for each image the least that any "
    "attack left: those that do not know the defence, those that do, noise, and all that was found within a smaller "
    "budget. To above: difference from the row above, paired over images; *: its interval excludes 0, else the order "
    "of the two is open. A row without a rank failed a check of its attacks, so its score is no bound."
)
_SHOWN = 3
_CARD = ("model", "defense", "trained_on", "hardened_with", "authors", "license", "url", "contact", "note")


def is_board(run: Run) -> bool:
    """Whether a benchmark's run is one of a leaderboard."""
    return run.metrics.get("schema") == _SCHEMA


def board_section(run: Run, anchor: str) -> Section:
    """All that a page shows of a leaderboard."""
    document = run.metrics
    entries: Sequence[Entry] = document["entries"]
    svg = score_figure(entries, f"{anchor}-score", "clean IoU and score of each entry")
    caption = "Round: clean. Square: score, with its 95 % interval; hollow where a check failed."
    keys = (Key("clean", "clean"), Key("score", "attacked"))
    return Section(
        anchor=anchor,
        title=f"Leaderboard {document['suite']['name']}",
        kicker=describe.kicker(run),
        lede=_lede(document),
        facts=_facts(run),
        notes=_notes(document),
        headlines=tuple(_headline(row) for row in entries[:_SHOWN]),
        headline_note="IoU: clean, and the score.",
        tables=tuple(board_tables(run)),
        figures=(FigureGroup("Clean and attacked", (Figure(svg, caption, strip=True),), keys),),
        record=describe.record_blocks(run),
    )


def board_tables(run: Run) -> list[Table]:
    """The list; every modality and radius; which attacks decided; failed checks; the cards."""
    suite, entries = run.metrics["suite"], run.metrics["entries"]
    places = [(name, eps) for name in suite["modality"] for eps in suite["eps"]]
    tables = [
        _ranking(entries),
        _crossed("Worst case by budget", entries, places, lambda cell: _estimate(cell["worst"]), _INTERVALS),
        _crossed("Share fooled", entries, places, lambda cell: _estimate(cell["share"]), _FOOLED),
        _crossed("Deciding attacks", entries, places, _winners, _WINNERS, kind="text"),
    ]
    failed = [Row((row["name"], text)) for row in entries for text in row["failed"]]
    if failed:
        columns = (Column("entry", "text"), Column("check", "text"))
        tables.append(
            Table("Failed checks", columns, tuple(failed), "Tests of the attacks, not of the entries.", prose=True)
        )
    return [*tables, _cards(entries)]


_INTERVALS = "IoU, mean of the images; 95 % intervals: images drawn with replacement."
_FOOLED = "Of the images with a clean IoU of 0.5 or more, those below 0.5 in the worst case; Wilson's intervals."
_WINNERS = (
    "For how many images each attack left least. A place behind a name: found within that smaller budget. Transfer: "
    "the attack on the undefended network. Noise: harmed more than any attack. Unread: the network reads no such input."
)


def _lede(document: Mapping[str, Any]) -> str:
    suite, first = document["suite"], document["entries"][0]
    radii = listing([show_eps(eps) for eps in suite["eps"]])
    count = len(document["entries"])
    best = (
        f"Of {first['name']}, the first of them, the worst case leaves an IoU of {first['score']['value']:.3f}."
        if first["valid"] else "Of none of them do all checks of the attacks pass."
    )  # fmt: skip
    many = f"{count} entries" if count > 1 else "One entry"
    return f"{many} on {suite['images']} images, attacked on {listing(suite['modality'])} within {radii}. {best}"


def _facts(run: Run) -> tuple[Fact, ...]:
    suite = run.metrics["suite"]
    own = ", ".join(f"{name} {value}" for name, value in suite["settings"].items())
    images = Fact("Images", f"{suite['data']}, {suite['images']} images", f"fingerprint {suite['fingerprint'][:12]}")
    return (images, Fact("Attacks", own or "as usual"), *describe.machine_facts(run))


def _notes(document: Mapping[str, Any]) -> tuple[str, ...]:
    suite = document["suite"]
    found = [f"Not an entry of {suite['name']}: {listing(suite['departures'])}."] if suite["departures"] else []
    return (*found, *(f"{row['name']}: {text}." for row in document["entries"] for text in row["notes"]))


def _headline(row: Entry) -> Headline:
    name = f"{row['rank']}. {row['name']}" if row["rank"] else row["name"]
    more = "all checks pass" if row["valid"] else "checks failed"
    return Headline(name, f"{row['clean']['value']:.3f}", f"{row['score']['value']:.3f}", more)


def _ranking(entries: Sequence[Entry]) -> Table:
    columns = (
        Column("rank"), Column("entry", "text"), Column("clean", better="up"), Column("score", better="up"),
        Column("to above", "change"), Column("s/image"), Column("checks", "text"),
    )  # fmt: skip
    rows = []
    for row in entries:
        checks = "pass" if row["valid"] else f"{len(row['failed'])} failed"
        above = None if row["above"] is None else _estimate(row["above"])
        cells: tuple[Cell, ...] = (
            row["rank"], row["name"], _estimate(row["clean"]), _estimate(row["score"]), above, row["seconds"], checks,
        )  # fmt: skip
        rows.append(Row(cells))
    return Table("Ranking", columns, tuple(rows), _SCORE)


def _crossed(
    title: str, entries: Sequence[Entry], places: Sequence[tuple[str, float]], show: Any, note: str, kind: Any = "value"
) -> Table:
    """Entries as rows, modalities and radii as columns."""
    columns = [Column(show_eps(eps), kind, group=name) for name, eps in places]
    rows = []
    for row in entries:
        found = {(cell["modality"], cell["eps"]): cell for cell in row["cells"]}
        rows.append(Row((row["name"], *(show(found[place]) for place in places))))
    return Table(title, (Column("entry", "text"), *columns), tuple(rows), note)


def _winners(cell: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {count}" for name, count in sorted(cell["attacks"].items(), key=lambda own: -own[1]))


def _cards(entries: Sequence[Entry]) -> Table:
    used = [name for name in _CARD if any(row["card"].get(name) for row in entries)]
    columns = (
        Column("entry", "text"),
        *(Column(name.replace("_", " "), "text") for name in used),
        Column("weights", "text"),
    )
    rows = [
        Row((row["name"], *(row["card"].get(name, "") for name in used), str(row["network"]["sha256"])[:12]))
        for row in entries
    ]
    return Table("Cards", columns, tuple(rows), "weights: the beginning of their sha256", prose=True)


def _estimate(found: Mapping[str, float | None]) -> Estimate | None:
    return None if found["value"] is None else Estimate(found["value"], found["low"], found["high"])
