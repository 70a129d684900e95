"""Tables of named rows: what exists, looked up by name, with a hint when a name is not found. No torch here."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Generic, Protocol, TypeVar

from natsort import natsorted

from rgbdsod.errors import UsageError


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The name a user types."""
        ...


Row = TypeVar("Row", bound=Named)


class Table(Generic[Row]):
    """Rows of one kind, by name.

    Args:
        kind: what a row is, in the singular: "model", "attack", "dataset".
        rows: the rows to begin with.
    """

    def __init__(self, kind: str, rows: Iterable[Row] = ()) -> None:
        self.kind = kind
        self._rows: dict[str, Row] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> Row:
        """Add a row; a name that is taken is an error, since a name must always mean the same thing."""
        if row.name in self._rows:
            raise UsageError(f'there is a {self.kind} "{row.name}" already')
        self._rows[row.name] = row
        return row

    def __getitem__(self, name: str) -> Row:
        if name in self._rows:
            return self._rows[name]
        close = get_close_matches(name.lower(), self._rows, n=1, cutoff=0.5)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise UsageError(f'no {self.kind} "{name}"{hint} (rgbdsod list {self.kind}s)')

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[Row]:
        return (self._rows[name] for name in self.names())

    def __len__(self) -> int:
        return len(self._rows)

    def names(self, pattern: str = "*") -> list[str]:
        """Names that match a shell wildcard, in natural order."""
        return [name for name in natsorted(self._rows) if fnmatchcase(name, pattern)]
