"""What a zero-shot evaluation returns: rows, samples, a table, a document and a run folder."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align
from rgbdsod.run.threats import show_eps

Row = dict[str, Any]


class ZeroShotResult(RunResult):
    """Clean and robust accuracy of each set under each attack."""

    @property
    def rows(self) -> list[Row]:
        """A row for each set, attack, radius and point of a path of weights; the columns of docs/clip.md."""
        return [row | {"seconds": _seconds(row, self.samples)} for row in self.metrics["rows"]]

    @property
    def averages(self) -> list[Row]:
        """Unweighted means over the sets."""
        averages: list[Row] = self.metrics["averages"]
        return averages

    @property
    def gaps(self) -> list[Row]:
        """Robust accuracy under pgd minus that under aa-fast, for each set where both ran."""
        gaps: list[Row] = self.metrics["gaps"]
        return gaps

    @property
    def warnings(self) -> list[str]:
        """What to know before trusting a number."""
        warnings: list[str] = self.metrics["warnings"]
        return warnings

    def summary(self) -> str:
        """A table in per cent, with 95 % intervals of robust accuracy."""
        return summary(self.metrics)

    def document(self) -> dict[str, Any]:
        """What `rgbdsod clip evaluate --json` and `clip attack --json` print."""
        metrics, record = self.metrics, self.record
        return {
            "schema": f"rgbdsod.{metrics['command'].replace(' ', '-')}/1",
            "model": metrics["model"],
            "weights": {name: record["model"][name] for name in ("source", "sha256", "method")},
            "data": metrics["data"],
            "images": metrics["images"],
            "seed": record["seed"],
            "rows": self.rows,
            "averages": self.averages,
            "gaps": self.gaps,
            "warnings": self.warnings,
            "note": metrics["note"],
            "seconds": record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def summary(metrics: Mapping[str, Any]) -> str:
    """The table of a run as text.

    Args:
        metrics: content of its metrics.json.
    """
    rows, averages = metrics["rows"], metrics["averages"]
    several = len({row.get("eps") for row in rows}) > 1
    path = any(row["share"] is not None for row in rows)
    head = ["set", "attack", *(["share"] if path else []), *(["eps"] if several else [])]
    lines = [[*head, "clean", "robust", "95 % interval", "zero gradient"]]
    lines += [_line(row["data"], row, path=path, several=several) for row in rows]
    lines += [_line(f"{row['name']} of {row['sets']}", row, path=path, several=several) for row in averages]
    found = align(lines)
    if metrics["gaps"]:
        worst = max(metrics["gaps"], key=lambda gap: float(gap["gap"]))
        found.append(f"largest gap of pgd over aa-fast   {100 * worst['gap']:+.1f} points ({worst['data']})")
    if metrics["note"]:
        found.append(metrics["note"])
    return "\n".join(found)


def _line(name: str, row: Mapping[str, Any], *, path: bool, several: bool) -> list[str]:
    attack, robust = row["attack"] or "", row.get("robust")
    cells = [name, attack, *([f"{row['share']:g}"] if path else [])]
    cells += [show_eps(row["eps"]) if robust is not None else ""] if several else []
    interval = f"[{percent(row['robust_low'])}, {percent(row['robust_high'])}]" if "robust_low" in row else ""
    zeros = row.get("zero_gradient")
    return [
        *cells,
        percent(row["clean"]) + ("*" if row.get("at_chance") else ""),
        "" if robust is None else percent(robust),
        interval,
        "" if zeros is None else f"{zeros:.2%}",
    ]


def percent(share: float) -> str:
    """A share in per cent, with one decimal."""
    return f"{100 * share:.1f}"


def _seconds(row: Row, samples: Sequence[Row]) -> float:
    """What an attack on a set took, summed over its images."""
    if row["attack"] is None:
        return 0.0
    return math.fsum(
        sample[f"seconds_{row['attack']}"]
        for sample in samples
        if (sample["data"], sample.get("share"), sample["eps"]) == (row["data"], row["share"], row["eps"])
    )
