"""Which part of a run one process computes, when several processes divide it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rgbdsod.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """One of several equal parts of a run.

    Args:
        index: from 0 on.
        count: how many parts there are.

    Raises:
        UsageError: there is no such part.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UsageError(f"share {self}: expected I/N with I from 1 to N, for example 1/3, 2/3 and 3/3")

    @classmethod
    def parse(cls, text: str) -> "Share":
        """A share as a command line names it: "2/3" is the second of three.

        Raises:
            UsageError: it is none.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if found is None:
            raise UsageError(f"--shard {text}: expected I/N, for example 1/3, 2/3 and 3/3")
        return cls(int(found[1]) - 1, int(found[2]))

    def of(self, items: Sequence[T], offset: int = 0) -> list[T]:
        """Every count-th item, starting at (index + offset) % count: together the shares have each item once.

        Args:
            items: in an order that all processes agree on; a run gives its batches, so that an image is computed
                beside the same others whoever computes it.
            offset: another for each of several short lists, so that the first share does not always have the most.
        """
        return list(items[(self.index + offset) % self.count :: self.count])

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"
