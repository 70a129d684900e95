"""Tables of ablations for the documentation: means with their intervals, and what a training changes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rgbdsod.run import AblationResult

MARK = re.compile(r"(<!-- measured: (\S+) .*?-->\n).*?(<!-- end -->)", re.DOTALL)
"""Where a page holds a measured table."""

Condition = tuple[str, str, float]
"""Attack, attacked inputs and radius of a column."""


def rewrite(page: Path, tables: dict[str, str]) -> None:
    """Put tables between a page's marks, each by its name."""
    text = page.read_text(encoding="utf-8")
    page.write_text(MARK.sub(lambda own: own[1] + tables[own[2]] + own[3], text), encoding="utf-8")


def means(rows: Sequence[dict[str, Any]], key: str, columns: dict[str, Condition]) -> str:
    """A line for each network and value of `key`, with its head.

    Args:
        rows: of `AblationResult.table`.
        key: "fusion" or "training".
        columns: the condition of each column, by its title.
    """
    head = f"| network | {key} | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 2) + "|\n"
    lines = []
    for model, name in dict.fromkeys((row["model"], row[key]) for row in rows):
        found = [find(rows, condition, model=model, **{key: name}) for condition in columns.values()]
        cells = (f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" if row else "" for row in found)
        lines.append(f"| {model} | {name} | " + " | ".join(cells) + " |\n")
    return head + "".join(lines)


def changes(result: AblationResult, fusion: str, columns: dict[str, Condition]) -> str:
    """A line for each training: what it changes against the plain one, without a head."""
    rows = [row for row in result.derived("externality") if row["fusion"] == fusion]
    lines = []
    for training in dict.fromkeys(row["training"] for row in rows):
        found = [find(rows, condition, training=training) for condition in columns.values()]
        cells = (f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" for row in found if row)
        lines.append(f"| | {training} - plain | " + " | ".join(cells) + " |\n")
    return "".join(lines)


def find(rows: Sequence[dict[str, Any]], condition: Condition, **wanted: str) -> dict[str, Any] | None:
    """The row of a condition, if it was measured."""
    fitting = (
        row for row in rows
        if (row["attack"], row["modality"], row["eps"]) == condition
        and all(row[name] == value for name, value in wanted.items())
    )  # fmt: skip
    return next(fitting, None)
