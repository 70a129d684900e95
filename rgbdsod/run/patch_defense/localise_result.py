"""What `localise_patches` returns."""

from typing import Any

from rgbdsod.run.patch_defense.guard_result import number, seconds_by_defense
from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.patch-localise/1"

FEW = 30
"""Photographs below which a mean is a story."""

_HEAD = ["defense", "SmIoU", "NmIoU", "recall", "found", "touched", "false", "s/image"]


class LocaliseResult(RunResult):
    """Masks of defences beside true ones."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each defence, with the seconds that it takes for an image."""
        seconds = seconds_by_defense(self.samples)
        return [{**row, "seconds": seconds[row["row"]]} for row in self.metrics["localisers"]]

    @property
    def warnings(self) -> list[str]:
        """What a user should know before trusting a number."""
        few = self.metrics["images"]
        return [f"{few} photographs say little of others"] if few < FEW else []

    def summary(self) -> str:
        """The table, and what its columns are."""
        images = self.metrics["images"]
        table = [_HEAD]
        for row in self.rows:
            values = [number(row[name]) for name in ("smiou", "nmiou", "recall")]
            counts = [f"{row[name]} of {images}" for name in ("found", "touched")]
            table.append([row["row"], *values, *counts, number(row["false"]), number(row["seconds"])])
        lines = [
            "SmIoU: pixels of all images together; NmIoU: mean of images; recall: share of the patches' pixels",
            f"found: IoU of {self.metrics['found_from']:g} or more; false: share of the other pixels that are masked",
        ]
        return "\n".join([*align(table), *lines])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch evaluate --localise DIR --json` prints."""
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in ("data", "images", "calibration", "found_from")},
            "settings": self.record["settings"],
            "localisers": self.rows,
            "warnings": self.warnings,
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }
