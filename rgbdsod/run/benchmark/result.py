"""What a benchmark found: one document, and its table as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.run.tables import align
from rgbdsod.run.threats import show_eps

SCHEMA = "rgbdsod.bench/1"

_TITLES = {"sm": "S", "accuracy": "accuracy"}


@dataclass(frozen=True, eq=False)
class BenchResult:
    """A finished benchmark.

    Args:
        document: the content of metrics.json.
        folder: the run folder, if one was written.
        reused: the run was finished before, and was only read.
    """

    document: dict[str, Any]
    folder: Path | None = None
    reused: bool = False

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each network, attack, modality and radius."""
        rows: list[dict[str, Any]] = self.document["rows"]
        return rows

    def summary(self) -> str:
        """A table in per cent, with 95 % intervals."""
        head = ["network", "attacked", "attack", "eps", "measure", "clean", "under attack", "relative loss", "fooled"]
        lines = align([head, *(_cells(row) for row in self.rows)])
        return "\n".join([*lines, *self.document["notes"]])


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["model"], row["modality"], row["attack"], show_eps(row["eps"]), _TITLES[row["measure"]],
        f"{row['clean']:.3f}", f"{row['attacked']:.3f}", _percent(row["loss"]),
        f"{_percent(row['share'])} of {row['held']}",
    ]  # fmt: skip


def _percent(estimate: Mapping[str, float | None]) -> str:
    """A share in per cent, with its interval where there is one."""
    shown: Sequence[str] = ["" if value is None else f"{round(100 * value)}" for value in estimate.values()]
    value, low, high = shown
    return f"{value} [{low}, {high}]" if low and high else value or "-"
