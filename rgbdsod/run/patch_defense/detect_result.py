"""What `evaluate_patches` returns: a table of defences before a detector."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.run.patch_defense.controls import CONTROLS
from rgbdsod.run.patch_defense.guard_result import WEAKER, GuardResult, footer, number
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.patch-evaluate/1"

_HEAD = ["defense", "AP50 clean", "cost", "control", "none", "unaware", "aware", "effect", "success", "beyond", "AP",
         "SmIoU", "NmIoU", "s/image", ""]  # fmt: skip

SUCCESS = {
    "vanish": "share of the objects found on clean images that are found no more",
    "misclass": "share of the objects found on clean images that are seen as the wanted class alone",
    "appear": "share of the images where the class is seen at the patch",
    "flood": "detections on no object, more than on clean images",
}
"""What success means, by the word that a goal begins with."""


class DetectResult(GuardResult):
    """Measures of a detector behind defences."""

    def summary(self) -> str:
        """The table, and what its columns are."""
        metrics, rows = self.metrics, self.rows
        bare = next(row for row in rows if row["defense"] == "none")
        images = metrics["images"] - len(metrics["no_place"])
        of = "all classes" if metrics["class"] is None else metrics["class"]
        goal = metrics["goal"].partition("-")[0]
        meaning = SUCCESS.get(goal, SUCCESS["vanish"])
        left = metrics["no_object"]
        lines = [
            *align([_HEAD] + [_shown(row, bare) for row in rows]),
            f"AP50 of {of} against the annotations, {images} images; aware: the worst for each image",
            f"success: {meaning}; beyond: more than the strongest control's; AP: under the worst attack",
            _second(bare, metrics["class"]),
            *_fit(metrics),
            *([f"nothing to attack, left out of all columns: {len(left)} ({', '.join(left[:5])})"] if left else []),
        ]
        return "\n".join(lines + footer(metrics))

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch evaluate --json` prints."""
        names = ("model", "data", "images", "no_place", "no_object", "class", "goal")
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in names},
            **{name: self.metrics[name] for name in ("fit",) if name in self.metrics},
            "settings": self.record["settings"],
            "defenses": self.rows,
            "warnings": self.warnings,
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def _shown(row: Mapping[str, Any], bare: Mapping[str, Any]) -> list[str]:
    heads = {view: row[view]["ap50"] for view in ("clean", *CONTROLS, "none", "unaware", "aware") if row.get(view)}
    before, clean = bare["clean"]["ap50"], heads["clean"]
    cost = None if before is None or clean is None else before - clean
    control = heads.get(row["control"]) if row["control"] else None
    last = row.get("aware") or row["unaware"]
    values = [clean, cost, control, heads["none"], heads["unaware"], heads.get("aware"), row["effect"],
              last["success"], row["beyond"], last["ap"]]  # fmt: skip
    found = [number(row[name], 2) for name in ("smiou", "nmiou")]
    return [row["row"], *map(number, values), *found, number(row["seconds"]), WEAKER if row["weaker"] else ""]


def _fit(metrics: Mapping[str, Any]) -> list[str]:
    """What one patch for all images was fitted on."""
    fit = metrics.get("fit")
    return [] if fit is None else [f"one patch for all, fitted on {fit['images']} images of {fit['data']}"]


def _second(bare: Mapping[str, Any], attacked: str | None) -> str:
    """What the undefended detector finds besides: against its own clean output, and of other classes."""
    columns = [("AP50(self), against its own clean detections instead", "ap50_self")]
    columns += [("AP50 of the other classes", "ap50_others")] if attacked is not None else []
    texts = [f"{words}: {number(bare['clean'][key])} -> {number(bare['unaware'][key])}" for words, key in columns]
    return f"without a defence, clean -> patch: {'; '.join(texts)}"
