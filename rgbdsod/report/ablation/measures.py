"""The main table of an ablation, and the list of its networks."""

from collections.abc import Iterable
from statistics import fmean

from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.grid import Cells, Look, grid_tables, ordered, place_of, rows_of
from rgbdsod.report.tables import Better, Cell, Column, Row, Table
from rgbdsod.report.wording import SPOKEN

TITLES = {"sm": "S", "fm_max": "max F", "em_max": "max E", "mae": "MAE", "iou_bin": "IoU"}
_CLEAN = ("sm", "fm_max", "em_max", "mae")


def direction(measure: str) -> Better:
    """Whether a measure is better when higher or lower."""
    return "down" if measure == "mae" else "up"


def spoken(measure: str) -> str:
    """A measure where there is room for a word."""
    return SPOKEN.get(measure, measure)


def luck(document: AblationDocument) -> str:
    """What the intervals cover."""
    count = len(document.seeds)
    return f"95 % interval over {document.data.images} images and " + (f"{count} seeds" if count > 1 else "one seed")


def measure_tables(document: AblationDocument, model: str) -> tuple[Table, ...]:
    """Fusion and training against attack, input and radius, for one model."""
    cells: Cells = {
        ((own.fusion, own.training), place_of(own)): own.estimate
        for own in document.table
        if own.model == model and own.measure == document.measure and own.attack != "clean"
    }
    labels = rows_of(document, {(own.fusion, own.training) for own in document.variants if own.model == model})
    return grid_tables(
        model,
        ("fusion", "training"),
        cells,
        labels,
        ordered((place for _, place in cells), document.attacks),
        Look(better=direction(document.measure)),
        first=tuple(Column(TITLES[name], better=direction(name), group="clean") for name in _CLEAN),
        values={label: _clean_cells(document, (model, *label)) for label in labels},
    )


def measure_note(document: AblationDocument) -> str:
    """How the main tables are to be read."""
    return (
        f"Under attack and with an input replaced by its mean (missing): {spoken(document.measure)}, benchmark "
        f"protocol, mean over images and seeds; in brackets its {luck(document)}."
    )


def _clean_cells(document: AblationDocument, network: tuple[str, str, str]) -> list[Cell]:
    """Clean values; the measure that was resampled has its interval."""
    cells = [own for own in document.cells if own.attack == "clean" and own.network == network]
    estimates = {
        own.measure: own.estimate for own in document.table if own.attack == "clean" and own.network == network
    }
    return [estimates.get(name) or _mean(getattr(own, name) for own in cells) for name in _CLEAN]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def network_table(document: AblationDocument, digits: int = 64) -> Table:
    """Every trained network: parameters, clean values, and so many digits of its weights' checksum."""
    names = [name for name in TITLES if any(name in own.clean for own in document.variants)]
    heads = (*(Column(head, "text") for head in ("model", "fusion", "training")), Column("seed"), Column("parameters"))
    measures = (Column(f"clean {TITLES[name]}", better=direction(name)) for name in names)
    rows = (
        Row(
            (
                *(own.model, own.fusion, own.training, own.seed, own.parameters),
                *(own.clean.get(name) for name in names),
                own.sha256 and own.sha256[:digits],
            )
        )
        for own in document.variants
    )
    return Table(
        "Networks",
        (*heads, *measures, Column("sha256", "text")),
        tuple(rows),
        f"the first {digits} digits of the weights' checksums" if digits < 64 else "",
    )
