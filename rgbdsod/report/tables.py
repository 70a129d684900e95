"""Tables as data: columns, rows and the direction in which a row's numbers are better. All formats print these."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Cell: TypeAlias = str | float | int | None
Better: TypeAlias = Literal["up", "down", ""]
Kind: TypeAlias = Literal["text", "value", "change"]

MINUS = "\N{MINUS SIGN}"
GAP = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """A column: its head and how its cells are printed ("change" with its sign).

    Args:
        label: the head.
        kind: how cells are printed.
        better: direction in which this column's values are better, where the rows do not say it.
    """

    label: str
    kind: Kind = "value"
    better: Better = ""


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
    if isinstance(cell, int):
        return f"{cell:+d}".replace("-", MINUS) if kind == "change" and cell else str(cell)
    text = f"{cell:+.{digits}f}" if kind == "change" else f"{cell:.{digits}f}"
    if float(text) == 0:  # no "-0.000", and no sign on a change that rounds to nothing
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def verdict(cell: Cell, better: Better, digits: int = 3) -> Literal["better", "worse", ""]:
    """Whether a change, as printed, is for the better or the worse."""
    if not isinstance(cell, int | float) or not better or round(cell, digits) == 0:
        return ""
    return "better" if (cell > 0) == (better == "up") else "worse"
