"""What `patch_maps` returns."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.run.patch_defense.guard_result import number
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES
from rgbdsod.run.patch_maps.table import COLUMNS, check_complete
from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.patch-maps/1"

FEW = 30
"""Images below which a mean is a story."""


class MapsResult(RunResult):
    """How well maps find patches, beside baselines and stickers."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each map, baseline and decision."""
        found: list[dict[str, Any]] = self.metrics["maps"]
        return found

    @property
    def warnings(self) -> list[str]:
        """What a user should know before trusting a number."""
        images = self.metrics["images"] - len(self.metrics["no_place"])
        few = [f"{images} images say little of others"] if images < FEW else []
        return [*self.metrics["warnings"], *few]

    def summary(self) -> str:
        """The table, and what its columns are.

        Raises:
            UsageError: baselines or stickers are missing.
        """
        check_complete(self.metrics)
        head = ["AUROC against M", *COLUMNS, "apart", "aware", "weight", "harm"]
        table = [head] + [_shown(row) for row in self.rows]
        harm = ["harm (IoU)", *(number(self.metrics["harm"][name]) for name in COLUMNS), "", "", "", ""]
        lines = [
            *align([*table, harm]),
            f"{', '.join(CONTROLS)}: no attack; depth: free values, digital only; *: baselines of one modality",
            "apart: pixels under patches in RGB against pixels under stickers in RGB; 0.5 is a guess",
            "aware: patches in RGB that know the row's map (surface: the noisy card; decisions: know influence rgb),",
            "of the weight that hides best of those that keep half of the harm",
        ]
        return "\n".join([*lines, *self._attribution(), *self._left()])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch maps --json` prints.

        Raises:
            UsageError: baselines or stickers are missing.
        """
        check_complete(self.metrics)
        names = ("model", "data", "images", "no_place", "columns", "maps", "harm", "attribution", "decision", "note")
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in names},
            "settings": self.record["settings"],
            "warnings": self.warnings,
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }

    def _attribution(self) -> list[str]:
        """Who is accused."""
        table = [["accused rightly", *FAMILIES]]
        for key, name in (("accused", "of all images"), ("seen", "images with a mask"), ("named", "under the patch")):
            table.append([name, *(number(self.metrics["attribution"][family][key], 2) for family in FAMILIES)])
        return ["", *align(table)]

    def _left(self) -> list[str]:
        left = self.metrics["no_place"]
        return [f"no place for a patch, left out of all columns: {len(left)} ({', '.join(left[:5])})"] if left else []


def _shown(row: Mapping[str, Any]) -> list[str]:
    aware = row["aware"] or {"auroc": None, "weight": None, "harm": None}
    weight = "-" if aware["weight"] is None else f"{aware['weight']:g}"
    name = f"{row['map']} *" if row["baseline"] else row["map"]
    last = [number(value, 2) for value in (row["apart"], aware["auroc"])]
    return [name, *(number(row["auroc"][column], 2) for column in COLUMNS), *last, weight, number(aware["harm"], 2)]
