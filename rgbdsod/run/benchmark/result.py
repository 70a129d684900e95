"""What a benchmark found: one document, and its table as text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.run.tables import align
from rgbdsod.run.threats import show_eps

SCHEMA = "rgbdsod.bench/1"

_TITLES = {"sm": "S", "accuracy": "accuracy"}
_EXTRA: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "data": lambda row: str(row["data"]),
    "seeds": lambda row: ",".join(map(str, row["seeds"])),
}
"""Columns of the table that are shown where they differ."""


@dataclass(frozen=True, eq=False)
class BenchResult:
    """A finished benchmark, or what one share of it could see.

    Args:
        document: the content of metrics.json.
        folder: the run folder, if one was written.
        reused: the run was finished before, and was only read.
        waiting: cells of which other shares have yet to do their part.
    """

    document: dict[str, Any]
    folder: Path | None = None
    reused: bool = False
    waiting: int = 0

    @property
    def complete(self) -> bool:
        """Whether every cell was measured, or failed."""
        return not self.waiting

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each network, data set, attack, modality and radius, over all seeds."""
        rows: list[dict[str, Any]] = self.document["rows"]
        return rows

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Cells that could not be measured: "cell", "error" and "code"."""
        failures: list[dict[str, Any]] = self.document["failures"]
        return failures

    def summary(self) -> str:
        """A table in per cent, with 95 % intervals; or how far it is."""
        if not self.complete:
            done = len(self.document["cells"])
            return f"{done} of {done + self.waiting} cells are finished; whoever computes the last writes the tables"
        extra = [name for name, shown in _EXTRA.items() if len({shown(row) for row in self.rows}) > 1]
        head = ["network", *extra, "attacked", "attack", "eps", "measure", "clean", "under attack", "relative loss",
                "fooled"]  # fmt: skip
        lines = align([head, *(_cells(row, extra) for row in self.rows)])
        gaps = [f"FAILED  {own['cell']}: {own['error']}" for own in self.failures]
        return "\n".join([*lines, *gaps, *self.document["notes"]])


def _cells(row: Mapping[str, Any], extra: Sequence[str]) -> list[str]:
    place = [
        row["network"],
        *(_EXTRA[name](row) for name in extra),
        row["modality"],
        row["attack"],
        show_eps(row["eps"]),
    ]
    if row["clean"] is None:
        return [*place, _TITLES[row["measure"]], "-", "failed", "-", "-"]
    return [
        *place, _TITLES[row["measure"]], f"{row['clean']:.3f}", f"{row['attacked']:.3f}", _percent(row["loss"]),
        f"{_percent(row['share'])} of {row['held']}",
    ]  # fmt: skip


def _percent(estimate: Mapping[str, float | None]) -> str:
    """A share in per cent, with its interval where there is one."""
    shown: Sequence[str] = ["" if value is None else f"{round(100 * value)}" for value in estimate.values()]
    value, low, high = shown
    return f"{value} [{low}, {high}]" if low and high else value or "-"
