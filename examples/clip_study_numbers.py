"""What make_clip_study.py measured, as tables of seeds and images, and their means with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from make_clip_study import Study
from numpy.typing import NDArray

from rgbdsod.datasets.glyph_words import TASKS
from rgbdsod.run.ablation.statistics import Draws

TUNED = "glyphs:tuning"
TITLES = {f"glyphs:{task.name}": task.title for task in TASKS} | {"cifar10_subset": "CIFAR-10", "dtd10_64": "DTD"}
ZERO_SHOT = tuple(name for name in TITLES if name.startswith("glyphs") and name != TUNED)
"""The generated tasks that hardening never saw; their mean is the zero-shot mean."""
SEEDS = (0, 1, 2)
CHANCE = {"glyphs:textures": 0.25, "glyphs:backgrounds": 1 / 6, "glyphs:shapes": 0.1, "cifar10_subset": 0.1,
          "dtd10_64": 0.1, "glyphs:pairs": 1 / 6, TUNED: 1 / 36, "glyphs:new-shapes": 1 / 24}  # fmt: skip
Table = NDArray[np.float64]
"""One value for each seed and image."""


@dataclass(frozen=True)
class Measured:
    """One method at one rate, on all seeds.

    Args:
        study: where it lies.
        method: "none" is the encoder before hardening.
        rate: of the hardening.
    """

    study: Study
    method: str
    rate: float

    @cached_property
    def values(self) -> Mapping[str, Mapping[str, Table]]:
        """By task: "clean", after "pgd", after "worst" of both attacks: 1 where an image is classified rightly."""
        rows = [
            row | {"seed": seed} for seed in SEEDS for row in self.study.measured(self.method, self.rate, seed).samples
        ]
        return {task: _tables([row for row in rows if row["data"] == task]) for task in TITLES}

    def draws(self, measure: str, tasks: Sequence[str]) -> Table:
        """The mean over tasks, seeds and images, then that of each draw; the same draws for every method."""
        parts = []
        for task in tasks:
            table = self.values[task][measure]
            parts.append(Draws(*table.shape, seed=list(TITLES).index(task)).mean(table))
        mean: Table = np.mean(parts, axis=0)
        return mean

    def zeros(self) -> float:
        """Share of the first gradient that was exactly 0, over all runs."""
        found = [row for seed in SEEDS for row in self.study.measured(self.method, self.rate, seed).rows]
        return max(float(row["zero_gradient"] or 0.0) for row in found if row["attack"] == "pgd")


def _tables(rows: Sequence[dict[str, Any]]) -> dict[str, Table]:
    """One table for each measure, (seeds, images), images in the order of their ids."""
    rows = sorted(rows, key=lambda row: (row["seed"], row["id"]))

    def table(right: Callable[[dict[str, Any]], bool]) -> Table:
        return np.array([right(row) for row in rows], np.float64).reshape(len(SEEDS), -1)

    def stands(row: dict[str, Any]) -> bool:
        return bool(row["prediction"] == row["label"])

    return {
        "clean": table(stands),
        "pgd": table(lambda row: stands(row) and not row["broken_pgd"]),
        "worst": table(lambda row: stands(row) and not row["broken_pgd"] and not row["broken_aa-fast"]),
    }
