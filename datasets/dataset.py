"""What a data set is: a named, fingerprinted list of samples that are read when asked for."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from typing import overload

from rgbdsod.datasets.sample import Sample
from rgbdsod.errors import UsageError


class Dataset(ABC):
    """Samples by position, read lazily.

    Attributes:
        name: how the set is called in tables.
        ids: one name for each sample, all different.
        convention: how depth was read, in words.
        warnings: what a user should know before trusting a number, one sentence each.
    """

    def __init__(self, name: str, ids: Iterable[str], *, convention: str, warnings: Iterable[str] = ()) -> None:
        self.name = name
        self.ids = list(ids)
        self.convention = convention
        self.warnings = list(warnings)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "Dataset": ...
    def __getitem__(self, index: int | slice) -> "Sample | Dataset":
        """The sample at a position (negative ones count from the end), or the data set of a slice."""
        if isinstance(index, slice):
            return View(self.name, [(self, position) for position in range(len(self))[index]])
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} images, there is no position {index}")
        return self.read(index % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(position) for position in range(len(self)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {len(self)} images>"

    @abstractmethod
    def read(self, position: int) -> Sample:
        """The sample at a position from 0 to len - 1."""

    @abstractmethod
    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of one sample, without decoding it."""

    @abstractmethod
    def digest(self, position: int) -> str:
        """Text that changes when the content of one sample does."""

    def sizes(self) -> list[tuple[int, int]]:
        """(H, W) of all samples, without decoding them."""
        return [self.size(position) for position in range(len(self))]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all ids and contents; the same samples have it however they were selected."""
        lines = (f"{name}\t{self.digest(position)}\n" for position, name in enumerate(self.ids))
        return sha256("".join(lines).encode()).hexdigest()

    def select(self, ids: Sequence[str] | None = None, limit: int | None = None) -> "Dataset":
        """The samples with these ids, in this order, and of them the first `limit`.

        Args:
            ids: names to keep; None keeps all.
            limit: how many to keep at most, 1 or more; None keeps all.

        Raises:
            UsageError: an id does not exist, or nothing would be left.
        """
        if ids is None and limit is None:
            return self
        positions = list(range(len(self))) if ids is None else positions_of(ids, self.ids, self.name)
        return View(self.name, [(self, position) for position in positions[: checked_limit(limit)]])


class View(Dataset):
    """Chosen samples of one or more data sets, in a given order."""

    def __init__(self, name: str, places: Sequence[tuple[Dataset, int]]) -> None:
        parts = list(dict.fromkeys(part for part, _ in places))
        super().__init__(
            name,
            [part.ids[position] for part, position in places],
            convention="; ".join(dict.fromkeys(part.convention for part in parts)),
            warnings=dict.fromkeys(text for part in parts for text in part.warnings),
        )
        self._places = list(places)

    def read(self, position: int) -> Sample:
        """The sample at a position, read by the set that owns it."""
        part, inner = self._places[position]
        return part.read(inner)

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of one sample."""
        part, inner = self._places[position]
        return part.size(inner)

    def digest(self, position: int) -> str:
        """The digest that the owning set gives."""
        part, inner = self._places[position]
        return part.digest(inner)


def join(name: str, parts: Sequence[Dataset]) -> Dataset:
    """Several data sets as one, in order; their ids must differ."""
    return View(name, [(part, position) for part in parts for position in range(len(part))])


def checked_limit(limit: int | None) -> int | None:
    """The limit, if it leaves something."""
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} selects no image; pass 1 or more")
    return limit


def positions_of(wanted: Sequence[str], ids: Sequence[str], name: str) -> list[int]:
    """Where the wanted ids stand; an unknown or repeated one is an error with a hint."""
    if not wanted:
        raise UsageError(f"--ids is empty, so it selects no image; {name} has {len(ids)} ids, such as {ids[0]}")
    places = {key: position for position, key in enumerate(ids)}
    for key in wanted:
        if key not in places:
            close = get_close_matches(key, ids, n=1, cutoff=0.5)
            hint = f'did you mean "{close[0]}"?' if close else f"its {len(ids)} ids look like {', '.join(ids[:3])}"
            raise UsageError(f'no id "{key}" in {name}; {hint}')
    if len(set(wanted)) < len(wanted):
        twice = next(key for position, key in enumerate(wanted) if key in wanted[:position])
        raise UsageError(f'--ids names "{twice}" twice; name each image once')
    return [places[key] for key in wanted]
