"""A run of cross-modal maps to a section of a page and to tables: where maps see patches, and who is accused."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbdsod.report import describe
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch.page import patch_csv
from rgbdsod.report.reading import Run
from rgbdsod.report.svg import ATTACKED, INK, MUTED, RULE, RUNS, page_style, to_svg
from rgbdsod.report.tables import Cell, Column, Row, Table, print_cell
from rgbdsod.report.view import Figure, FigureGroup, Headline, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMMAND = "patch maps"

_STICKERS = ("sticker", "crop", "card")
_NOTE = (
    "Pixels under the patch against the others of the image, means over the images; 0.5 is a guess. sticker, crop and "
    "card are no attack: a map that finds them as well as patches finds what lies there, not that it is an attack. "
    "depth: free values, digital only. *: baselines that look at one modality. Apart: pixels under patches in RGB "
    "against pixels under stickers in RGB. Aware: patches in RGB that know the row's map, of the weight that hides "
    "best among those that keep half of the harm; a dash: nobody knew it, or nothing was left of the harm."
)
_ACCUSED_NOTE = (
    "Rightly: the modality that carries the patch is accused. Masked: the decision masked anything. Named: what the "
    "evidence under the true patch accuses, which needs the patch to be known."
)
_FEW = 30

maps_csv = patch_csv
"""A line for each image and column, every digit."""


def maps_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of cross-modal maps.

    Args:
        run: made by `COMMAND`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    metrics = run.metrics
    left = metrics["no_place"]
    images = metrics["images"] - len(left)
    notes = [f"{images} images say little of others."] if images < _FEW else []
    notes += [f"Left out of all columns, no place for a patch: {', '.join(left)}."] if left else []
    figure = Figure(
        apart_figure(metrics, f"{anchor}-apart"), "Filled: unaware patches in RGB; open: patches that know it"
    )
    return Section(
        anchor=anchor,
        title=f"Where cross-modal maps see patches on {metrics['model']}",
        kicker=describe.kicker(run),
        lede=_lede(metrics),
        facts=describe.facts(run),
        notes=tuple(dict.fromkeys((*describe.notes(run), *metrics["warnings"], *notes))),
        headlines=tuple(Headline(own["map"], print_cell(own["apart"])) for own in _ranked(metrics)[:4]),
        headline_note="AUROC of patches in RGB from stickers in RGB; 0.5 is a guess.",
        tables=tuple(maps_tables(run)),
        figures=(FigureGroup("Patches, stickers, and patches that know the map", (figure,)),),
        record=describe.record_blocks(run),
    )


def maps_tables(run: Run) -> list[Table]:
    """A row for each map, baseline and decision; and who is accused."""
    metrics = run.metrics
    names = metrics["columns"]
    columns = (
        Column("map", "text"),
        *(Column(name, group="no attack" if name in _STICKERS else "patches that know nothing") for name in names),
        Column("apart", better="up"), Column("AUROC", better="up", group="aware"), Column("weight", group="aware"),
        Column("harm", group="aware"),
    )  # fmt: skip
    rows = [Row(_cells(own, names)) for own in metrics["maps"]]
    rows.append(Row(("IoU lost", *(metrics["harm"].get(name) for name in names), None, None, None, None)))
    return [Table("AUROC of each map", columns, tuple(rows), _NOTE), _accused(metrics)]


def apart_figure(metrics: Mapping[str, Any], prefix: str) -> str:
    """For each map, how it ranks patches in RGB, the same where they know it, and stickers.

    Args:
        metrics: content of the run's metrics.json.
        prefix: makes element ids unique.
    """
    from matplotlib.figure import Figure as Drawing

    with page_style():
        figure = Drawing(figsize=(6.4, 1.0 + 0.27 * len(metrics["maps"])), layout="constrained")
        _dots(figure.add_subplot(), metrics)
        return to_svg(figure, prefix, "AUROC of maps on patches, on stickers, and on patches that know them")


def _dots(axes: "Axes", metrics: Mapping[str, Any]) -> None:
    for place, own in enumerate(metrics["maps"]):
        patch, sticker, aware = own["auroc"].get("rgb noise"), own["auroc"].get("sticker"), own["aware"]
        if patch is not None:
            axes.scatter([patch], [place], color=ATTACKED, s=22, zorder=3, label="patch" if not place else None)
        if sticker is not None:
            axes.scatter([sticker], [place], color=MUTED, s=22, marker="|", label="sticker" if not place else None)
        if aware is not None and aware["auroc"] is not None:
            axes.scatter([aware["auroc"]], [place], facecolors="none", edgecolors=RUNS[1], s=26, zorder=3)
    axes.axvline(0.5, color=INK, linewidth=0.7)
    axes.set_yticks(range(len(metrics["maps"])), [_label(own) for own in metrics["maps"]])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel="AUROC, pixels under the patch against the others")
    axes.tick_params(color=RULE)
    axes.legend(frameon=False, labelcolor=INK, fontsize=7, loc="lower left")


def _cells(own: Mapping[str, Any], names: list[str]) -> tuple[Cell, ...]:
    aware = own["aware"] or {"auroc": None, "weight": None, "harm": None}
    return (
        _label(own), *(own["auroc"].get(name) for name in names), own["apart"], aware["auroc"], aware["weight"],
        aware["harm"],
    )  # fmt: skip


def _accused(metrics: Mapping[str, Any]) -> Table:
    columns = (
        Column("patches", "text"),
        Column("rightly", better="up"),
        Column("masked"),
        Column("named", better="up"),
    )
    rows = tuple(Row((name, own["accused"], own["seen"], own["named"])) for name, own in metrics["attribution"].items())
    return Table("Which modality is accused", columns, rows, _ACCUSED_NOTE)


def _label(own: Mapping[str, Any]) -> str:
    return f"{own['map']} *" if own["baseline"] else str(own["map"])


def _ranked(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted((own for own in metrics["maps"] if own["apart"] is not None), key=lambda own: -own["apart"])


def _lede(metrics: Mapping[str, Any]) -> str:
    """The map that tells patches from stickers best, and what is left of it where it is known."""
    ranked = _ranked(metrics)
    if not ranked:
        return "No image had a place for the patches."
    best = ranked[0]
    text = f"{best['map']} tells patches in RGB from stickers best, by an AUROC of {print_cell(best['apart'])}"
    aware = best["aware"]
    if aware is None or aware["auroc"] is None:
        return f"{text}; no patch that knows it was measured, or none kept half of the harm."
    seen = print_cell(best["auroc"].get("rgb noise"))
    return f"{text}; on whole images it finds them at {seen}, and those that know it at {print_cell(aware['auroc'])}."
