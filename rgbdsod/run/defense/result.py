"""What `defend` returns: a table of defences."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rgbdsod.run.patch_defense.averages import SLACK, by_defense
from rgbdsod.run.patch_defense.guard_result import WEAKER, number
from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.defend/1"

QUICK = "; a quick look: more --effort leaves less"

_HEAD = ["defense", "clean", "cost", "noise", "none", "unaware", "aware", "gain", "dropped", "s/image", "time",
         "passes", ""]  # fmt: skip
_CHECKED = ["checks of the attacks", "without radius", "twice the steps", "gradient", "noise"]
_COSINE = 0.9


class DefenseResult(RunResult):
    """Measures of a network behind defences of its inputs."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each defence, with the seconds that an image takes behind it, and how many times the network's."""
        times = dict(by_defense(self.samples))
        found = []
        for row in self.metrics["defenses"]:
            seconds, alone = (float(np.mean([one[name] for one in times[row["row"]]]))
                              for name in ("seconds", "network_seconds"))  # fmt: skip
            found.append({**row, "seconds": seconds, "time": seconds / alone})
        return found

    @property
    def warnings(self) -> list[str]:
        """What a user should know before trusting a number."""
        found: list[str] = list(self.metrics["warnings"])
        return found + [text for row in self.metrics["defenses"] for text in suspicious(row)]

    def summary(self) -> str:
        """The table, and what its columns are."""
        lines = align([_HEAD, *(_shown(row) for row in self.rows)])
        quick = self.record["settings"].get("effort") == "quick"
        lines.append(f"IoU, mean of {self.metrics['images']} images; aware: the worst for each image; "
                     f"gain: over no defence, both aware{QUICK if quick else ''}")  # fmt: skip
        tested = [row for row in self.rows if row["check_whole"] is not None]
        if tested:
            names = ("check_whole", "check_longer", "check_gradient", "check_control")
            lines += align([_CHECKED, *([row["row"], *(number(row[name], 2) for name in names)] for row in tested)])
        return "\n".join([*lines, *([self.metrics["note"]] if self.metrics.get("note") else [])])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod defend --json` prints."""
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in ("model", "data", "images", "measure", "note")},
            "settings": self.record["settings"],
            "defenses": self.rows,
            "warnings": self.warnings,
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def suspicious(row: Mapping[str, Any]) -> list[str]:
    """What a row of `metrics.json` says against the attacks on it."""
    name, found = row["row"], []
    if row["weaker"]:
        found.append(f"{name}: the attacks through the defence do less harm than the one that does not know it, so "
                     "they are broken and the row says nothing of robustness; take more --effort")  # fmt: skip
    if row["check_control"] > SLACK:
        found.append(f"{name}: noise of the same radius harms more than the attacks; take more --steps")
    if row["check_whole"] is not None and row["check_whole"] < 1:
        found.append(f"{name}: not even an attack without a radius breaks each image; add --search")
    if (row["check_longer"] or 0) > SLACK:
        found.append(f"{name}: twice the steps harm less; the gradient leads nowhere, or draws too much")
    if row["check_gradient"] is not None and row["check_gradient"] < _COSINE:
        found.append(f"{name}: its gradient is said to be exact, and differences disagree; add --search")
    return found


def _shown(row: Mapping[str, Any]) -> list[str]:
    heads = {view: row[view]["iou"] for view in ("clean", "noise", "none", "unaware", "aware") if view in row}
    last = "aware" if "aware" in row else "unaware"
    values = [heads["clean"], row["cost"], heads["noise"], heads["none"], heads["unaware"], heads.get("aware")]
    dropped = "/".join(number(row[view]["dropped"], 2) for view in ("clean", "unaware", last))
    ends = [number(row["seconds"]), f"x{row['time']:.1f}", number(row["passes"], 0), WEAKER if row["weaker"] else ""]
    return [row["row"], *map(number, values), number(row["gain"]), dropped, *ends]
