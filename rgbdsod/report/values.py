"""Where numbers lie in metrics.json and in the table, so that no other file needs to know."""

from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Better

PROTOCOLS = ("benchmark", "raw")
MAIN = ("mae", "fm_max", "wfm", "em_max", "sm", "iou_bin")
"""Shown where there is room for a few."""

Values = Mapping[str, float]


def definition(run: Run, metric: str) -> Mapping[str, str]:
    """Title, direction and text of a metric, as the run recorded them."""
    found: Mapping[str, str] = run.metrics.get("definitions", {}).get(metric, {})
    return found


def title(run: Run, metric: str) -> str:
    """A metric's heading in a table."""
    return definition(run, metric).get("title", metric)


def better(run: Run, metric: str) -> Better:
    """The direction in which a metric is better."""
    return "down" if definition(run, metric).get("better") == "down" else "up"


def clean_values(run: Run, protocol: str = "benchmark") -> Values:
    """Data-set values of the clean maps."""
    values: Values = run.metrics["clean"][protocol]["values"]
    return values


def results(run: Run) -> list[Mapping[str, Any]]:
    """One result for each radius; none for an evaluation."""
    return list(run.metrics.get("results", ()))


def results_or_none(run: Run) -> list[Mapping[str, Any] | None]:
    """One result for each radius; a single None for an evaluation, which has one line of values all the same."""
    return [*results(run)] or [None]


def attacked_values(result: Mapping[str, Any], protocol: str = "benchmark", view: str = "attacked") -> Values:
    """Data-set values under attack: measured on the saved files, or before saving (view "float")."""
    values: Values = result[view][protocol]["values"]
    return values


def attacked_inputs(result: Mapping[str, Any]) -> list[str]:
    """The inputs that the attack could change."""
    return [name for name, budget in result["budget"].items() if budget["eps"]]


def rows_of(run: Run, turn: int) -> list[Mapping[str, Any]]:
    """The table's rows of one radius, in the order of the images."""
    by_id: dict[str, list[Mapping[str, Any]]] = {}
    for row in run.rows:
        by_id.setdefault(str(row["id"]), []).append(row)
    return [rows[turn] for rows in by_id.values() if turn < len(rows)]


def curve(found: Mapping[str, Any], name: str, protocol: str = "benchmark") -> Sequence[float]:
    """256 points of "precision", "recall", "fm" or "em"; position i is the threshold 255 - i."""
    points: Sequence[float] = found[protocol]["curves"][name]
    return points


def state_of(row: Mapping[str, Any]) -> str:
    """What became of an image: "below" (failed before the attack), "fooled", "held", or "" without an attack."""
    if "fooled" not in row:
        return ""
    if row["fooled_before"]:
        return "below"
    return "fooled" if row["fooled"] else "held"
