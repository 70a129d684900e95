"""What a leaderboard found: one document, and its table as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.run.tables import align
from rgbdsod.run.threats import show_eps

SCHEMA = "rgbdsod.leaderboard/1"

NOTES = (
    "score: mean of the worst-case IoU over all modalities and radii; worst case: for each image, the attack that "
    "leaves least",
    "to above: difference of the scores, paired over images; where its interval contains 0 the order is open",
)


@dataclass(frozen=True, eq=False)
class LeaderboardResult:
    """A finished leaderboard.

    Args:
        document: the content of metrics.json.
        folder: the run folder, if one was written.
        reused: the run was finished before, and was only read.
    """

    document: dict[str, Any]
    folder: Path | None = None
    reused: bool = False

    @property
    def entries(self) -> list[dict[str, Any]]:
        """One for each entry, the best first."""
        entries: list[dict[str, Any]] = self.document["entries"]
        return entries

    def summary(self) -> str:
        """The list, and below it which checks failed."""
        last = max(self.document["suite"]["eps"])
        places = [(name, last) for name in self.document["suite"]["modality"]]
        head = ["", "entry", "clean", "score", "to above", *(f"{name} {show_eps(eps)}" for name, eps in places),
                "s/image", "checks"]  # fmt: skip
        lines = align([head, *(_cells(row, places) for row in self.entries)])
        failed = [f"failed  {row['name']}, {text}" for row in self.entries for text in row["failed"]]
        notes = [f"{row['name']}: {text}" for row in self.entries for text in row["notes"]]
        return "\n".join([*lines, *failed, *notes, *self.document["notes"]])


def _cells(row: Mapping[str, Any], places: list[tuple[str, float]]) -> list[str]:
    own = {(cell["modality"], cell["eps"]): cell["worst"]["value"] for cell in row["cells"]}
    return [
        str(row["rank"] or "-"), row["name"], f"{row['clean']['value']:.3f}", _interval(row["score"]),
        "" if row["above"] is None else _interval(row["above"], "+"), *(f"{own[place]:.3f}" for place in places),
        f"{row['seconds']:.3f}", "pass" if row["valid"] else f"{len(row['failed'])} fail",
    ]  # fmt: skip


def _interval(estimate: Mapping[str, float], sign: str = "") -> str:
    value, low, high = (format(number, f"{sign}.3f") for number in estimate.values())
    return f"{value} [{low}, {high}]"
