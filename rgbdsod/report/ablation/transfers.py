"""Adversarial examples made for one design and shown to another."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from rgbdsod.report.ablation.document import AblationDocument, Transfer
from rgbdsod.report.ablation.grid import show_input
from rgbdsod.report.ablation.measures import TITLES, spoken
from rgbdsod.report.tables import Column, Row, Table
from rgbdsod.report.view import TableGroup
from rgbdsod.report.wording import show_attack, show_eps


@dataclass(frozen=True)
class Matrix:
    """A transfer matrix of one model in one setting.

    Args:
        model, training, attack, modality, eps: the setting.
        designs: sources and targets, in the order to show.
        values: (source, target) -> measure under attack, mean over seeds.
        changes: (source, target) -> that minus the target's clean measure, mean over seeds.
        seeds: how many seeds the means are over.
    """

    model: str
    training: str
    attack: str
    modality: str
    eps: float
    designs: tuple[str, ...]
    values: dict[tuple[str, str], float]
    changes: dict[tuple[str, str], float]
    seeds: int


def matrices(document: AblationDocument) -> list[Matrix]:
    """All transfer matrices of a file."""
    settings: dict[tuple[str, str, str, str, float], list[Transfer]] = {}
    for own in document.transfer:
        settings.setdefault((own.model, own.training, own.attack, own.modality, own.eps), []).append(own)
    return [_matrix(document, setting, found) for setting, found in settings.items()]


def _matrix(document: AblationDocument, setting: tuple[str, str, str, str, float], found: Iterable[Transfer]) -> Matrix:
    pairs: dict[tuple[str, str], list[Transfer]] = {}
    for own in found:
        pairs.setdefault((own.source, own.target), []).append(own)
    there = {name for pair in pairs for name in pair}
    return Matrix(
        *setting,
        designs=tuple(name for name in document.fusions if name in there),
        values={pair: fmean(own.sm for own in several) for pair, several in pairs.items()},
        changes={pair: fmean(own.change for own in several) for pair, several in pairs.items()},
        seeds=len({own.seed for several in pairs.values() for own in several}),
    )


def transfer_group(document: AblationDocument) -> TableGroup | None:
    """The matrices as tables, folded by model; None where nothing was transferred."""
    found = matrices(document)
    folds = tuple(
        (model, tuple(_table(own) for own in found if own.model == model))
        for model in document.models
        if any(own.model == model for own in found)
    )
    note = (
        "Rows: the design that the adversarial examples were made for. Columns: the design that they are shown to, "
        f"{spoken('sm')} under them and its change from clean inputs. Means over images and seeds, without intervals."
    )
    return TableGroup("Transfer between designs", folds, note) if folds else None


def _table(own: Matrix) -> Table:
    heads = [
        column
        for name in own.designs
        for column in (Column(TITLES["sm"], better="up", group=name), Column("change", "change", group=name))
    ]
    rows = [
        Row((source, *(cell for name in own.designs for cell in _cells(own, source, name)))) for source in own.designs
    ]
    title = f"{own.model}, {own.training}: {show_attack(own.attack)} on {show_input(own.modality)}, {show_eps(own.eps)}"
    return Table(title, (Column("made for", "text"), *heads), tuple(rows))


def _cells(own: Matrix, source: str, target: str) -> tuple[float | None, float | None]:
    return own.values.get((source, target)), own.changes.get((source, target))
