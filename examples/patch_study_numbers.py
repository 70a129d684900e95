"""What a cell of the patch study says: means over seeds and images beside those under the controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.run.ablation.statistics import Draws, Estimate, estimate

Row = Mapping[str, Any]
Table = NDArray[np.float64]
CONTROLS = {
    "grey": "grey card",
    "noise": "noise",
    "crop": "photograph",
    "other": "another's patch",
    "shuffled": "shuffled",
}
MEASURE = "iou_bin_rest_raw"
"""IoU over all but the patch."""


@dataclass(frozen=True)
class Cell:
    """One design of a patch, sought with several seeds on the same images.

    Args:
        seeds: the rows of each seed's run.
    """

    seeds: Sequence[Sequence[Row]]

    def values(self, state: str) -> Table:
        """IoU beside the patch in a state, (seeds, images); images without a place in any seed are left out."""
        return np.array([[row[f"{state}_{MEASURE}"] for row in rows] for rows in self._kept], float)

    def mean(self, state: str) -> float:
        """Of all seeds and images."""
        return float(self.values(state).mean())

    @cached_property
    def controls(self) -> list[str]:
        """Those that these runs have."""
        return [name for name in CONTROLS if f"{name}_{MEASURE}" in self.seeds[0][0]]

    @cached_property
    def worst(self) -> str:
        """The control under which most is lost."""
        return min(self.controls, key=self.mean)

    @cached_property
    def effect(self) -> Estimate:
        """What the patch takes beyond the worst control."""
        beyond = self.values(self.worst) - self.values("patched")
        return estimate(Draws(*beyond.shape).mean(beyond))

    @property
    def reached(self) -> float:
        """Share of the images that lose more than half of their clean IoU."""
        return float(np.mean([row["patched_reached"] for rows in self._kept for row in rows]))

    @cached_property
    def _kept(self) -> list[list[Row]]:
        """Rows of the images that every seed found a place on, in one order."""
        placed = [{row["id"]: row for row in rows if row["placed"]} for rows in self.seeds]
        common = sorted(set.intersection(*map(set, placed)))
        return [[rows[name] for name in common] for rows in placed]


def interval(found: Estimate) -> str:
    """A number with its interval; bold where the interval leaves out 0."""
    if found.value is None or found.low is None or found.high is None:
        return "-"
    text = f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"
    return f"**{text}**" if found.significant else text


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    lines = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
