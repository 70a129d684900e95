"""Times of a run's rows, kept apart: everything else is the same whoever computes it, and how often it was stopped."""

from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.foreign.documents import parse_json

SCHEMA = "rgbdsod.times/1"
FILE = "times.json"

Row = Mapping[str, Any]


def is_time(column: str) -> bool:
    """Whether a column holds seconds."""
    return column == "seconds" or column.startswith("seconds_") or column.endswith("_seconds")


def without_times(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows without their times."""
    return [{name: value for name, value in row.items() if not is_time(name)} for row in rows]


def times_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The content of times.json: a list by column, in the order of the rows."""
    names = dict.fromkeys(name for row in rows for name in row if is_time(name))
    return {"schema": SCHEMA, "columns": {name: [row.get(name) for row in rows] for name in names}}


def with_times(rows: Sequence[Row], content: bytes) -> list[dict[str, Any]]:
    """Rows with the times of a times.json.

    Raises:
        ValueError, LookupError, TypeError or AttributeError: it is none, or of other rows.
    """
    columns = parse_json(content)["columns"]
    if any(len(values) != len(rows) for values in columns.values()):
        raise ValueError(f"{FILE} is of another number of rows")
    return [dict(row) | {name: values[i] for name, values in columns.items()} for i, row in enumerate(rows)]
