"""What tables of defences have in common."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rgbdsod.run.patch_defense.averages import by_defense
from rgbdsod.run.results import RunResult

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
        return found + ([weaker_text(broken)] if broken else [])


def seconds_by_defense(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Mean seconds of each row's defence for one image."""
    return {label: float(np.mean([row["seconds"] for row in rows])) for label, rows in by_defense(samples)}


def weaker_text(rows: list[str]) -> str:
    """What the mark means."""
    return (
        f"{', '.join(rows)}: the attack that knows the defence is weaker than the one that does not, so it is broken "
        "and says nothing of robustness; take more --steps or other --penalty"
    )


def footer(metrics: Mapping[str, Any]) -> list[str]:
    """Images that were left out, and the model's own note."""
    left = metrics["no_place"]
    lines = [f"no place for a patch, left out of all columns: {len(left)} ({', '.join(left[:5])})"] if left else []
    return lines + ([metrics["note"]] if metrics.get("note") else [])


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # no "-0.000"
