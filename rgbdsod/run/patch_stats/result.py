"""What `patch_statistics` returns."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.patch-stats/1"
_KEPT = (
    "reference",
    "photographs",
    "embedder",
    "name",
    "dimension",
    "side",
    "transforms",
    "sets",
    "beside",
    "warnings",
)


class StatsResult(RunResult):
    """Spectra of patches, and their distances from photographs."""

    @property
    def sets(self) -> list[dict[str, Any]]:
        """One for each file or run: spectra in the file and in the image, distances, strength where it is known."""
        found: list[dict[str, Any]] = self.metrics["sets"]
        return found

    @property
    def beside(self) -> list[dict[str, Any]]:
        """The same of crops, crops under noise, few crops, smooth pictures and noise."""
        found: list[dict[str, Any]] = self.metrics["beside"]
        return found

    def summary(self) -> str:
        """The table, and what its columns are."""
        metrics = self.metrics
        head = ["", "patches", "N", metrics["name"], "kernel", "hf", "5-95 %", "slope", "hf seen", "radius", "effect"]
        rows = [head, *(_row(own) for own in metrics["sets"]), *(_row(own) for own in metrics["beside"])]
        lines = [
            f"{metrics['name']}, kernel: appearances (transforms {metrics['transforms']}) from those of as many crops "
            f"of {metrics['reference']}, all at {metrics['side']}x{metrics['side']}; N: how many appearances",
            "hf: share of power above 0.25 cycles per pixel, in the file, and as an image shows it (seen)",
        ]
        if any(own["effect"] for own in metrics["sets"]):
            lines.append("effect: IoU beside the patch that it takes beyond the worst control")
        return "\n".join([*align(rows), *lines, *(f"note    {text}" for text in metrics["warnings"])])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch stats --json` prints."""
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in _KEPT},
            "settings": self.record["settings"],
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def _row(own: Mapping[str, Any]) -> list[str]:
    distance, file, seen, effect = own["distance"], own["file"], own.get("seen"), own.get("effect")
    radius = "-" if own.get("radius") is None else f"{own['radius']:g}"
    return [
        own["id"], str(own.get("patches", "")), str(distance["appearances"]), f"{distance['frechet']:.2f}",
        f"{distance['kernel']:.3f}", _number(file, "hf"),
        "-" if file is None else f"{file['hf_low']:.2f}-{file['hf_high']:.2f}", _number(file, "slope"),
        _number(seen, "hf"), radius if "patches" in own else "", "" if effect is None else f"{effect['mean']:+.3f}",
    ]  # fmt: skip


def _number(found: Mapping[str, Any] | None, name: str) -> str:
    return "-" if found is None else f"{found[name]:.2f}"
