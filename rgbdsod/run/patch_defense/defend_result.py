"""What `defend_patches` returns: a table of defences."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.run.patch_defense.controls import CONTROLS
from rgbdsod.run.patch_defense.defend_metrics import HEADLINE
from rgbdsod.run.patch_defense.guard_result import WEAKER, GuardResult, check_lines, footer, number
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.patch-defend/1"

_HEAD = ["defense", "clean", "cost", "control", "none", "unaware", "aware", "effect", "SmIoU", "NmIoU", "erased",
         "s/image", "passes", ""]  # fmt: skip


class DefendResult(GuardResult):
    """Measures of a network behind defences."""

    def summary(self) -> str:
        """The table, and what its columns are."""
        bare = next(row for row in self.rows if row["defense"] == "none")
        table = [_HEAD] + [_shown(row, bare) for row in self.rows]
        images = self.metrics["images"] - len(self.metrics["no_place"])
        lines = [*align(table), f"IoU beside the patch, mean of {images} images; aware: the worst for each image"]
        return "\n".join([*lines, *footer(self.metrics), *check_lines(self.rows)])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch defend --json` prints."""
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in ("model", "data", "images", "no_place", "measure", "note")},
            "settings": self.record["settings"],
            "defenses": self.rows,
            "warnings": self.warnings,
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def _shown(row: Mapping[str, Any], bare: Mapping[str, Any]) -> list[str]:
    heads = {view: row[view][HEADLINE] for view in ("clean", *CONTROLS, "none", "unaware", "aware") if row.get(view)}
    before, clean = bare["clean"][HEADLINE], heads["clean"]
    cost = None if before is None or clean is None else before - clean
    control = heads.get(row["control"]) if row["control"] else None
    values = [clean, cost, control, heads["none"], heads["unaware"], heads.get("aware"), row["effect"]]
    erased = row["object_masked"] if row["aware_object_masked"] is None else row["aware_object_masked"]
    found = [row["smiou"], row["nmiou"], erased]
    ends = [number(row["seconds"]), number(row["passes"], 0), WEAKER if row["weaker"] else ""]
    return [row["row"], *map(number, values), *(number(value, 2) for value in found), *ends]
