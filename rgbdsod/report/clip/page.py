"""A zero-shot run to a section of a page: tables, the plane of clean and robust accuracy, pictures, record."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.clip.drawing import Point, curve, ladder
from rgbdsod.report.clip.pictures import picture_gallery
from rgbdsod.report.gallery import Shown
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Column, Estimate, Row, Table
from rgbdsod.report.view import Fact, Figure, FigureGroup, Headline, Section
from rgbdsod.report.wording import show_eps

COMMANDS = ("clip evaluate", "clip attack")
"""Whose runs these are."""

_NOTE = (
    "Accuracies in [0, 1] with Wilson's 95 % interval. Robust: classified rightly before and after the attack. Zero "
    "gradient: share of values whose first gradient was exactly 0, where the attack is blind."
)
_MOST_ROWS = 2000  # more would weigh a page down
_CSV = (
    "run", "model", "data", "split", "classes", "images", "share", "attack", "norm", "eps", "steps", "verdict",
    "as_released", "attack_space", "templates", "precision", "clean", "clean_low", "clean_high", "robust", "robust_low",
    "robust_high", "robust_float", "attacked", "broken", "zero_gradient", "largest_change", "median_distance", "passes",
)  # fmt: skip

Line = Mapping[str, Any]


def is_zero_shot(run: Run) -> bool:
    """Whether a run measured a zero-shot classifier."""
    return run.command in COMMANDS


def zero_shot_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of a zero-shot run.

    Args:
        run: made by one of `COMMANDS`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    return Section(
        anchor=anchor,
        title=f"Zero-shot robustness of {run.metrics['model']}",
        kicker=describe.kicker(run),
        lede=_lede(run),
        facts=(*describe.facts(run), *_attack_facts(run)),
        notes=tuple(dict.fromkeys((*describe.notes(run), *run.metrics["warnings"]))),
        headlines=_headlines(run),
        headline_note="Accuracies before and after the attack.",
        tables=zero_shot_tables(run),
        figures=_figures(run, anchor),
        gallery=picture_gallery(run, page, shown),
        rows=_image_table(run),
        record=describe.record_blocks(run),
    )


def zero_shot_tables(run: Run) -> tuple[Table, ...]:
    """A table of sets and attacks, and one of averages and gaps where there are any."""
    lines, path, several = run.metrics["rows"], _has_path(run), _has_radii(run)
    heads = [Column("set", "text"), Column("attack", "text")]
    heads += [Column("share of tuned weights")] if path else []
    heads += [Column("radius", "text")] if several else []
    found = Table(
        "Accuracy of each set",
        (*heads, *map(Column, ("clean", "robust", "zero gradient", "images", "chance", "passes an image"))),
        tuple(Row((*_keys(line, line["data"], path, several), *_numbers(line))) for line in lines),
        _NOTE,
    )
    return (found, *_average_table(run, heads), *_gap_table(run, heads))


def zero_shot_csv(runs: Sequence[Run]) -> str:
    """A row for each set, attack, radius and point of a path, with every digit."""
    text = StringIO()
    writer = csv.DictWriter(text, _CSV, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        writer.writerows({"run": run.path.name, "model": run.metrics["model"], **line} for line in run.metrics["rows"])
    return text.getvalue()


def _keys(line: Line, name: str, path: bool, several: bool) -> list[str | float | None]:
    cells: list[str | float | None] = [name, line["attack"] or "none", *([line["share"]] if path else [])]
    return cells + ([_radius(line)] if several else [])


def _radius(line: Line) -> str:
    return show_eps(line["eps"]) if line.get("robust") is not None else ""


def _numbers(line: Line) -> tuple[Estimate | float | int | None, ...]:
    return (
        _clean(line), _robust(line), line.get("zero_gradient"), line["images"], line["chance"], line.get("passes"),
    )  # fmt: skip


def _clean(line: Line) -> Estimate:
    return Estimate(line["clean"], line.get("clean_low"), line.get("clean_high"))


def _robust(line: Line) -> Estimate | None:
    if line.get("robust") is None:
        return None
    return Estimate(line["robust"], line.get("robust_low"), line.get("robust_high"))


def _average_table(run: Run, heads: Sequence[Column]) -> tuple[Table, ...]:
    lines, path, several = run.metrics["averages"], _has_path(run), _has_radii(run)
    rows = tuple(
        Row((*_keys(line, line["name"], path, several), line["sets"], line["clean"], line["robust"])) for line in lines
    )
    columns = (Column("average", "text"), *heads[1:], *map(Column, ("sets", "clean", "robust")))
    note = "unweighted over the sets; zero-shot leaves out sets that tuning uses"
    return (Table("Averages", columns, rows, note),) if rows else ()


def _gap_table(run: Run, heads: Sequence[Column]) -> tuple[Table, ...]:
    path, several = _has_path(run), _has_radii(run)
    rows = tuple(
        Row((gap["data"], *([gap["share"]] if path else []), *([show_eps(gap["eps"])] if several else []), gap["gap"]))
        for gap in run.metrics["gaps"]
    )
    columns = (heads[0], *heads[2:], Column("gap", "change"))
    note = "robust accuracy under pgd minus that under aa-fast; above 0.03 pgd is too weak to be believed"
    return (Table("PGD against aa-fast", columns, rows, note),) if rows else ()


def _has_path(run: Run) -> bool:
    return any(line["share"] is not None for line in run.metrics["rows"])


def _has_radii(run: Run) -> bool:
    return len({line.get("eps") for line in run.metrics["rows"]}) > 1


def _lede(run: Run) -> str:
    lines = run.metrics["rows"]
    attacks = list(dict.fromkeys(line["attack"] for line in lines if line["attack"]))
    sets = list(dict.fromkeys(line["data"] for line in lines))
    radii = list(dict.fromkeys(_radius(line) for line in lines if line["attack"]))
    where = f"{len(sets)} set{'s' if len(sets) > 1 else ''}, {run.metrics['images']} images"
    if not attacks:
        return f"Clean zero-shot accuracy on {where}."
    return f"Zero-shot accuracy on {where}, attacked by {', '.join(attacks)} within {', '.join(radii)}."


def _headlines(run: Run) -> tuple[Headline, ...]:
    """The means where there are any, else the sets; of a path of weights its end."""
    lines = run.metrics["averages"] or run.metrics["rows"]
    last = [line for line in lines if line["share"] == lines[-1]["share"] and line.get("eps") == lines[-1].get("eps")]
    return tuple(
        Headline(
            line.get("name") or line["data"],
            f"{line['clean']:.1%}",
            "" if line.get("robust") is None else f"{line['robust']:.1%}",
            line["attack"] or "",
        )
        for line in last
    )


def _attack_facts(run: Run) -> tuple[Fact, ...]:
    settings = run.record.get("settings", {})
    shown = {
        "Attacks": settings.get("attack"),
        "Attack space": settings.get("attack_space"),
        "Prompts": settings.get("template") or settings.get("templates"),
        "Verdict": "as released: the last iterate" if settings.get("as_released") else settings.get("verdict", "any"),
    }
    return tuple(Fact(name, str(value)) for name, value in shown.items() if value)


def _figures(run: Run, anchor: str) -> tuple[FigureGroup, ...]:
    lines = [line for line in run.metrics["rows"] if line["attack"]]
    if not lines:
        return ()
    title = "Clean against robust accuracy"
    if _has_path(run):
        svg = curve(f"{anchor}-path", title, _curves(run))
        caption = (
            "From the original weights (share 0) to the tuned ones (share 1), means over the sets; "
            "numbers are shares of the tuned weights."
        )
        return (FigureGroup("The way between two sets of weights", (Figure(svg, caption),)),)
    several = _has_radii(run)
    points: dict[str, list[Point]] = {}
    for line in lines:
        name = f"{line['attack']}, {_radius(line)}" if several else line["attack"]
        points.setdefault(name, []).append(Point(line["data"], _clean(line), _robust(line) or Estimate(0.0)))
    svg = ladder(f"{anchor}-sets", title, points)
    return (FigureGroup(title, (Figure(svg, "Bars are 95 % intervals.", strip=True),)),)


def _curves(run: Run) -> dict[str, list[Point]]:
    """By attack and radius, a point for each share of the tuned weights."""
    lines = run.metrics["averages"] or run.metrics["rows"]
    wanted, found = lines[-1].get("name"), dict[str, list[Point]]()
    for line in lines:
        if line.get("name") == wanted and line["robust"] is not None:
            point = Point(f"{line['share']:g}", _clean(line), _robust(line) or Estimate(0.0))
            found.setdefault(f"{line['attack']}, {_radius(line)}", []).append(point)
    return found


def _image_table(run: Run) -> Table:
    """A row per image, radius and point of a path: what it is taken for."""
    attacks = list(dict.fromkeys(line["attack"] for line in run.metrics["rows"] if line["attack"]))
    columns = (Column("id", "text"), *map(Column, ("class", "clean")), *(Column(name) for name in attacks))
    rows = tuple(
        Row((str(row["id"]), row["label"], row["prediction"], *(row[f"prediction_{name}"] for name in attacks)))
        for row in run.rows[:_MOST_ROWS]
    )
    note = "class numbers: the true one, and what the image is taken for, clean and attacked"
    if len(run.rows) > _MOST_ROWS:
        note += f"; the first {_MOST_ROWS} of {len(run.rows)} rows, all are in the run folder's table"
    return Table("Predictions per image", columns, rows, note)
