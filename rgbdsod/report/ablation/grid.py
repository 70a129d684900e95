"""Numbers of an ablation as a grid: rows are networks, columns are what was done to their input."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rgbdsod.report.ablation.document import AblationDocument, Setting
from rgbdsod.report.tables import Better, Cell, Column, Kind, Row, Table
from rgbdsod.report.wording import INPUTS, show_attack, show_eps

_MOST_COLUMNS = 12  # of numbers with an interval; a table with more is made anew for each attack
_MODALITIES = ("rgb", "depth", "both")
_NO_ATTACK = ("clean", "missing")


class Place(NamedTuple):
    """A column: what was done to which input, and how much."""

    attack: str
    modality: str
    eps: float

    @property
    def head(self) -> tuple[str, str]:
        """The column's head and the one above it."""
        if self.attack == "missing":
            return show_input(self.modality), "missing"
        if self.attack == "clean":
            return "clean", ""
        return show_eps(self.eps), f"{show_attack(self.attack)} on {show_input(self.modality)}"


@dataclass(frozen=True)
class Look:
    """How a grid of numbers is printed."""

    kind: Kind = "value"
    better: Better = ""


Label: TypeAlias = tuple[str, ...]
"""A row's texts: fusion, training, or what is compared with what."""

Cells: TypeAlias = dict[tuple[Label, Place], Cell]
"""Numbers by row and column."""


def place_of(own: Setting) -> Place:
    """The column of a number."""
    return Place(own.attack, own.modality, own.eps)


def ordered(places: Iterable[Place], attacks: Sequence[str]) -> list[Place]:
    """Columns in reading order: clean, the attacks by input and radius, missing inputs."""
    order = {"clean": -1, "missing": len(attacks)} | {name: turn for turn, name in enumerate(attacks)}
    turns = {name: turn for turn, name in enumerate(_MODALITIES)}
    last = len(attacks)
    return sorted(set(places), key=lambda own: (order.get(own.attack, last), turns.get(own.modality, 3), own.eps))


def grid_tables(
    title: str,
    heads: Sequence[str],
    cells: Cells,
    rows: Sequence[Label],
    places: Sequence[Place],
    look: Look,
    *,
    first: Sequence[Column] = (),
    values: Mapping[Label, Sequence[Cell]] | None = None,
) -> tuple[Table, ...]:
    """One table, or one for each attack where one would be too wide.

    Args:
        title: above the table; the attack is added to it where there are several.
        heads: of the row's texts.
        cells: numbers by row and column.
        rows: in the order to print.
        places: in the order to print.
        look: how the numbers are printed.
        first: columns between the row's texts and the grid, `values` their cells by row.
    """
    values = values or {}
    made = []
    for attack in _split(places):
        own = [place for place in places if attack in (place.attack, None) or place.attack in _NO_ATTACK]
        grid = [Column(place.head[0], look.kind, look.better, place.head[1]) for place in own]
        lines = [
            Row((*label, *values.get(label, [None] * len(first)), *(cells.get((label, place)) for place in own)))
            for label in rows
        ]
        name = title if attack is None else f"{title}, {show_attack(attack)}"
        made.append(Table(name, (*(Column(head, "text") for head in heads), *first, *grid), tuple(lines)))
    return tuple(made)


def rows_of(document: AblationDocument, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(fusion, training) in reading order: designs of one training stand together, the references first."""
    fusions, trainings = document.fusions, document.trainings
    return sorted(set(pairs), key=lambda own: (_place(trainings, own[1]), _place(fusions, own[0])))


def show_input(modality: str) -> str:
    """An input's name in print: "RGB", "depth", "both"."""
    return INPUTS.get(modality, modality)


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _split(places: Sequence[Place]) -> list[str | None]:
    """The attacks that get a table each; [None] where one table holds all."""
    attacks = list(dict.fromkeys(own.attack for own in places if own.attack not in _NO_ATTACK))
    return list(attacks) if len(places) > _MOST_COLUMNS and len(attacks) > 1 else [None]
