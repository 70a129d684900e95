"""What tables of defences have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbdsod.run.patch_defense.averages import SLACK, by_defense
from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

WEAKER = "weaker"
"""Mark of a row whose aware attacks do less harm than the unaware one: they are broken, and the row proves nothing."""


class GuardResult(RunResult):
    """Measures of a victim behind defences."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each defence, with the seconds that it takes for an image."""
        seconds = seconds_by_defense(self.samples)
        return [{**row, "seconds": seconds[row["row"]]} for row in self.metrics["defenses"]]

    @property
    def warnings(self) -> list[str]:
        """What a user should know before trusting a number."""
        broken = [row["row"] for row in self.metrics["defenses"] if row["weaker"]]
        found: list[str] = list(self.metrics["warnings"])
        found += [weaker_text(broken)] if broken else []
        return found + [text for row in self.metrics["defenses"] for text in failed(row)]


def seconds_by_defense(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Mean seconds of each row's defence for one image."""
    return {label: float(np.mean([row["seconds"] for row in rows])) for label, rows in by_defense(samples)}


def weaker_text(rows: list[str]) -> str:
    """What the mark means."""
    return (
        f"{', '.join(rows)}: the attack that knows the defence is weaker than the one that does not, so it is broken "
        "and says nothing of robustness; take more --steps or other --penalty"
    )


_COSINE = 0.9


def failed(row: Mapping[str, Any]) -> list[str]:
    """What the checks of a row's attacks say against them."""
    name, found = row["row"], []
    if (row.get("check_controls") or 0) > SLACK:
        found.append(f"{name}: the control {row['control']} harms more than the patches; take more --steps")
    if (row.get("check_longer") or 0) > SLACK:
        found.append(f"{name}: twice the steps harm less; the step is too long, or the gradient leads nowhere")
    if row.get("check_whole") is not None and row["check_whole"] < 1:
        found.append(f"{name}: not even a patch on everything breaks each image; add --search spsa")
    if row.get("check_gradient") is not None and row["check_gradient"] < _COSINE:
        found.append(f"{name}: its gradient is said to be exact, and differences disagree; add --search spsa")
    return found


def check_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table of the checks of all attacks; nothing where none were made."""
    tested = [row for row in rows if row.get("check_whole") is not None]
    if not tested:
        return []
    head = ["checks of the attacks", "whole image", "twice the steps", "gradient", "beyond control"]
    names = ("check_whole", "check_longer", "check_gradient")
    return align([
        head, *([row["row"], *(number(row[name], 2) for name in names), number(row["effect"], 2)] for row in tested)
    ])  # fmt: skip


def footer(metrics: Mapping[str, Any]) -> list[str]:
    """Images that were left out, and the model's own note."""
    left = metrics["no_place"]
    lines = [f"no place for a patch, left out of all columns: {len(left)} ({', '.join(left[:5])})"] if left else []
    return lines + ([metrics["note"]] if metrics.get("note") else [])


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # no "-0.000"
