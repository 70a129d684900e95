"""Tables as data: columns, rows and the direction in which a row's numbers are better. All formats print these."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

Better: TypeAlias = Literal["up", "down", ""]
Kind: TypeAlias = Literal["text", "value", "change"]

MINUS = "\N{MINUS SIGN}"
GAP = "\N{EN DASH}"
SURE = "*"
"""Behind a change whose interval excludes 0."""


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its interval; without ends nothing is known about its luck."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 0; an interval of no width (one image) says nothing."""
        return self.low is not None and self.high is not None and self.low < self.high and self.low * self.high > 0


Cell: TypeAlias = str | float | int | Estimate | None


@dataclass(frozen=True)
class Column:
    """A column: its head and how its cells are printed ("change" with its sign).

    Args:
        label: the head.
        kind: how cells are printed.
        better: direction in which this column's values are better, where the rows do not say it.
        group: a head above this and its neighbours of the same group.
    """

    label: str
    kind: Kind = "value"
    better: Better = ""
    group: str = ""


@dataclass(frozen=True)
class Row:
    """Cells, one for each column, and the direction in which the row's values are better."""

    cells: tuple[Cell, ...]
    better: Better = ""


@dataclass(frozen=True)
class Table:
    """A titled table.

    Args:
        title: short, above the table.
        columns: heads.
        rows: cells in the columns' order.
        note: what a reader must know to read the numbers (protocol, definition).
        prose: whether cells are sentences, which need the page's whole width.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    prose: bool = False


def change(before: float | None, after: float | None) -> float | None:
    """The difference, where both are there."""
    return None if before is None or after is None else after - before


def print_cell(cell: Cell, kind: Kind = "value", digits: int = 3) -> str:
    """A cell as text: numbers with `digits` decimals, changes with their sign (a true minus), gaps as a dash."""
    if cell is None:
        return GAP
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Estimate):
        return print_cell(cell.value, kind, digits) + (SURE if kind == "change" and cell.sure else "")
    if isinstance(cell, int):
        return f"{cell:+d}".replace("-", MINUS) if kind == "change" and cell else str(cell)
    text = f"{cell:+.{digits}f}" if kind == "change" else f"{cell:.{digits}f}"
    if float(text) == 0:  # no "-0.000", and no sign on a change that rounds to nothing
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def print_interval(cell: Cell, kind: Kind = "value", digits: int = 3) -> str:
    """The ends of an estimate's interval: "[0.712, 0.745]"; empty where there are none."""
    if not isinstance(cell, Estimate) or cell.low is None or cell.high is None:
        return ""
    return f"[{print_cell(cell.low, kind, digits)}, {print_cell(cell.high, kind, digits)}]"


def spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Groups of neighbouring columns and how many columns each spans; empty where no column has one."""
    if not any(column.group for column in columns):
        return []
    return [(group, len(list(own))) for group, own in groupby(columns, key=lambda column: column.group)]


def verdict(cell: Cell, better: Better, digits: int = 3) -> Literal["better", "worse", ""]:
    """Whether a change, as printed, is for the better or the worse; of an estimate only where it excludes 0."""
    if isinstance(cell, Estimate):
        return verdict(cell.value, better, digits) if cell.sure else ""
    if not isinstance(cell, int | float) or not better or round(cell, digits) == 0:
        return ""
    return "better" if (cell > 0) == (better == "up") else "worse"
