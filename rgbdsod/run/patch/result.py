"""What a patch run returns: rows, samples, a table, a document and a run folder."""

from typing import Any

from rgbdsod.run.patch.tables import patch_table
from rgbdsod.run.results import RunResult


class PatchRun(RunResult):
    """Measures clean, under a patch and under its controls."""

    @property
    def no_place(self) -> list[str]:
        """The images that had no place for the patch; no number counts them."""
        found: list[str] = self.metrics["no_place"]
        return found

    @property
    def effects(self) -> list[dict[str, Any]]:
        """For each measure and region the harm of the patch less that of the worst control, with its interval."""
        found: list[dict[str, Any]] = self.metrics["effects"]
        return found

    def summary(self) -> str:
        """A table with a row for each state, and the effect."""
        return patch_table(self.metrics)

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch make --json` and `patch apply --json` print."""
        metrics, kept = self.metrics, ("goal", "rule", "modality", "depth_mode", "physical", "size", "where",
                                       "transforms", "images", "no_place", "covered", "stretch", "states", "effects",
                                       "source", "notes", "note")  # fmt: skip
        return {
            "schema": f"rgbdsod.{metrics['command'].replace(' ', '-')}/1",
            "model": metrics["model"],
            "data": metrics["data"],
            **{name: metrics[name] for name in kept},
            "seed": self.record["seed"],
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }
