"""A run of certificates to a section of a page and to tables: what no patch of a size can change, and its price."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbdsod.report import describe
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch.page import patch_csv
from rgbdsod.report.reading import Run
from rgbdsod.report.svg import MUTED, RULE, RUNS, page_style, to_svg
from rgbdsod.report.tables import Cell, Column, Row, Table, change, print_cell
from rgbdsod.report.view import Figure, FigureGroup, Headline, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMMAND = "patch certify"

_SURE = (
    "Certain for every patch of at most that size, anywhere, of any content, in the stated inputs; no attack was run. "
    "It holds for the computation as it was done: the same device, batch and precision."
)
_OF_MAPS = (
    "Certified: share of the pixels. Detection: a pixel keeps its value, or an alarm is raised there; recovery: it "
    "keeps its value. IoU, MAE: means over the images at threshold 0.5, every other pixel counted as wrong. Clean: the "
    "map without a defence. Price: what the defended map loses without an attack."
)
_OF_BOXES = (
    "Certified: share of the objects of which a box of the class always covers half, under patches anywhere; apart: "
    "under patches that do not touch the object. It says nothing of false boxes, nor that a box is tight. Price: what "
    "the defence loses without an attack."
)

certificate_csv = patch_csv
"""A line for each image and certificate, every digit."""


def certificate_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of certificates.

    Args:
        run: made by `COMMAND`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    metrics = run.metrics
    figure = Figure(certified_figure(metrics, f"{anchor}-certified"), "Certified share of each row, and where it ends")
    return Section(
        anchor=anchor,
        title=f"Certificates of {metrics['model']} against patches",
        kicker=describe.kicker(run),
        lede=_lede(metrics),
        facts=describe.facts(run),
        notes=(_SURE, *dict.fromkeys((*describe.notes(run), *metrics["warnings"]))),
        headlines=tuple(Headline(_name(own), _share(own)) for own in metrics["certificates"][:4]),
        headline_note=f"Share of the {_things(metrics)} that is certain.",
        tables=tuple(certificate_tables(run)),
        figures=(FigureGroup("What is certain", (figure,)),),
        record=describe.record_blocks(run),
    )


def certificate_tables(run: Run) -> list[Table]:
    """A row for each certificate; certified and measured values have columns of their own."""
    metrics = run.metrics
    if metrics["kind"] == "maps":
        columns: tuple[Column, ...] = (
            Column("method", "text"), Column("layout", "text"), Column("patch", "text"), Column("pixels", "text"),
            Column("input", "text"), Column("copies"), Column("pixels", better="up", group="certified"),
            Column("IoU at least", better="up", group="certified"),
            Column("MAE at most", better="down", group="certified"), Column("IoU", group="measured, clean"),
            Column("price", "change", group="measured, clean"), Column("MAE", group="measured, clean"),
            Column("price", "change", group="measured, clean"),
        )  # fmt: skip
        return [
            Table("Certificates", columns, tuple(Row(_map_cells(own)) for own in metrics["certificates"]), _OF_MAPS)
        ]
    columns = (
        Column("method", "text"), Column("patch", "text"), Column("pixels", "text"), Column("copies"),
        Column("objects"), Column("anywhere", better="up", group="certified"),
        Column("apart", better="up", group="certified"), Column("recall", group="measured, clean"),
        Column("price", "change", group="measured, clean"), Column("AP50", group="measured, clean"),
        Column("price", "change", group="measured, clean"),
    )  # fmt: skip
    return [Table("Certificates", columns, tuple(Row(_box_cells(own)) for own in metrics["certificates"]), _OF_BOXES)]


def certified_figure(metrics: Mapping[str, Any], prefix: str) -> str:
    """A bar for each certificate.

    Args:
        metrics: content of the run's metrics.json.
        prefix: makes element ids unique.
    """
    from matplotlib.figure import Figure as Drawing

    rows = metrics["certificates"]
    with page_style():
        figure = Drawing(figsize=(6.4, 0.9 + 0.27 * len(rows)), layout="constrained")
        _bars(figure.add_subplot(), metrics)
        return to_svg(figure, prefix, f"Certified share of the {_things(metrics)} for each certificate")


def _bars(axes: "Axes", metrics: Mapping[str, Any]) -> None:
    rows = metrics["certificates"]
    places = range(len(rows))
    if metrics["kind"] == "boxes":
        axes.barh(places, [own["certified_apart"] or 0.0 for own in rows], color=MUTED, height=0.6)
    axes.barh(places, [own["certified"] or 0.0 for own in rows], color=RUNS[0], height=0.6)
    axes.set_yticks(places, [_name(own) for own in rows])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel=f"share of the {_things(metrics)}")
    axes.tick_params(color=RULE)
    axes.grid(visible=False, axis="y")


def _map_cells(own: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        own["method"], own["layout"], own["size"], _pixels(own), own["modality"], own["copies"], own["certified"],
        own["iou_least"], own["mae_most"], own["iou_plain"], change(own["iou_plain"], own["iou_defended"]),
        own["mae_plain"], change(own["mae_plain"], own["mae_defended"]),
    )  # fmt: skip


def _box_cells(own: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        own["method"], own["size"], _pixels(own), own["copies"], own["objects"], own["certified"],
        own["certified_apart"], own["recall_plain"], change(own["recall_plain"], own["recall_defended"]),
        own["ap50_plain"], change(own["ap50_plain"], own["ap50_defended"]),
    )  # fmt: skip


def _pixels(own: Mapping[str, Any]) -> str:
    return "varies" if own["height"] is None else f"{own['height']}x{own['width']}"


def _name(own: Mapping[str, Any]) -> str:
    parts = [own["method"], own.get("layout"), own["size"], own["modality"]]
    return " ".join(part for part in parts if part and part != "image")


def _share(own: Mapping[str, Any]) -> str:
    apart = own.get("certified_apart")
    return print_cell(own["certified"] if apart is None else apart)


def _things(metrics: Mapping[str, Any]) -> str:
    return "pixels" if metrics["kind"] == "maps" else "objects"


def _lede(metrics: Mapping[str, Any]) -> str:
    """The most that is certain, and that it is a promise about all patches."""
    best = max(metrics["certificates"], key=lambda own: own.get("certified_apart") or own["certified"] or 0.0)
    where = "" if metrics["kind"] == "maps" else ", under patches that do not touch the object"
    return (
        f"Whatever a patch shows and wherever it is, {_share(best)} of the {_things(metrics)} are certain at most "
        f"({_name(best)}{where}); {metrics['images']} images."
    )
