"""Numbers made from an ablation's means: which tables, and how they are to be read."""

from collections.abc import Iterable
from dataclasses import dataclass

from rgbdsod.report.ablation.document import AblationDocument, Derived
from rgbdsod.report.ablation.grid import Cells, Label, Look, grid_tables, ordered, place_of, rows_of
from rgbdsod.report.ablation.measures import direction, luck, spoken
from rgbdsod.report.tables import MINUS, SURE, Table
from rgbdsod.report.view import TableGroup


@dataclass(frozen=True)
class Kind:
    """A sort of derived number.

    Args:
        title: above its tables.
        names: in `ablation.json`; one table holds them all.
        text: its definition, a sentence; "{measure}" is the measure's name.
        change: it is a difference, printed with its sign.
        judged: a positive difference is for the better where the measure is better when higher.
        compared: the row's text ("fusion" or "training") that also names what it is compared with; empty: none.
    """

    title: str
    names: tuple[str, ...]
    text: str
    change: bool = False
    judged: bool = False
    compared: str = ""


KINDS = (
    Kind("Relative drop", ("relative_drop",), "Share of the clean {measure} that is lost: 0 nothing, 1 all of it."),
    Kind(
        "Differences between fusions",
        ("difference",),
        "{measure} of the first design minus that of the second, same model, training and attack.",
        *(True, True, "fusion"),
    ),
    Kind(
        "Gap to RGB alone",
        ("gap_to_rgb",),
        "{measure} minus that of the plainly trained network of RGB alone under the same attack: does depth help?",
        *(True, True),
    ),
    Kind(
        "Reliance on depth",
        ("reliance", "reliance_missing"),
        "Depth's share of the drops when RGB and depth are attacked (or missing) one at a time; the rest is RGB's. It "
        "means little where both drops are small, and is left out where nothing was lost.",
    ),
    Kind(
        "Interaction",
        ("interaction",),
        "Relative drop when both inputs are attacked, minus those when one is; above 0 both hurt more than the sum.",
        change=True,
    ),
    Kind(
        "Externality of trainings",
        ("externality",),
        "{measure} minus that of the training it is compared with, same design and attack.",
        *(True, True, "training"),
    ),
)


def derived_groups(document: AblationDocument) -> tuple[TableGroup, ...]:
    """The tables of every kind of number that the file has, folded by model."""
    groups = []
    for kind in KINDS:
        found = _of_kind(document, kind)
        models = [model for model in document.models if any(own.model == model for own in found)]
        folds = tuple((model, _tables(document, kind, model, found)) for model in models)
        if folds:
            groups.append(TableGroup(kind.title, folds, _note(document, kind, found)))
    return tuple(groups)


def _of_kind(document: AblationDocument, kind: Kind) -> list[Derived]:
    """Numbers of a kind; of shares that add up to one only depth's, where it is there."""
    found = [own for own in document.derived if own.kind in kind.names]
    if "reliance" not in kind.names:
        return found
    return [own for own in found if own.modality == "depth"] or found


def _tables(document: AblationDocument, kind: Kind, model: str, found: Iterable[Derived]) -> tuple[Table, ...]:
    mine = [own for own in found if own.model == model]
    cells: Cells = {(_label(kind, own), place_of(own)): own.estimate for own in mine}
    pairs = rows_of(document, {(own.fusion, own.training) for own in mine})
    labels = sorted({(pairs.index((own.fusion, own.training)), _label(kind, own)) for own in mine})
    better = direction(document.measure) if kind.judged else ""
    return grid_tables(
        f"{model}: {kind.title[0].lower()}{kind.title[1:]}",
        ("fusion", "training"),
        cells,
        [label for _, label in labels],
        ordered((place for _, place in cells), document.attacks),
        Look("change" if kind.change else "value", better),
    )


def _label(kind: Kind, own: Derived) -> Label:
    """Fusion and training; one of them as a difference where two are compared: "early − feature"."""
    against = f" {MINUS} {own.against}"
    return (
        own.fusion + (against if kind.compared == "fusion" else ""),
        own.training + (against if kind.compared == "training" else ""),
    )


def _note(document: AblationDocument, kind: Kind, found: Iterable[Derived]) -> str:
    """Definition, what the intervals cover, and how many of them would exclude 0 by chance."""
    text = f"{kind.text.format(measure=spoken(document.measure))} In brackets the {luck(document)}."
    estimates = [own.estimate for own in found if own.estimate is not None and own.low is not None]
    if kind.change and estimates:
        count = len(estimates)
        sure = sum(own.sure for own in estimates)
        marked = f"{sure} of {count} intervals exclude 0 (marked {SURE})"
        text += f" {marked}; were there no differences at all, about {round(0.05 * count)} would by chance."
    return text
