"""All values of runs in one tidy CSV table: a row per run, radius, protocol and metric, every digit."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

from rgbdsod.report.reading import Run
from rgbdsod.report.tables import change
from rgbdsod.report.training import validations
from rgbdsod.report.values import PROTOCOLS, attacked_inputs, attacked_values, better, clean_values, results_or_none

_COLUMNS = (
    "run", "command", "model", "data", "images", "attack", "modality", "norm", "eps_rgb", "eps_depth", "iteration",
    "protocol", "metric", "better", "clean", "attacked", "change", "attacked_float", "fooled",
)  # fmt: skip


def to_csv(runs: Sequence[Run]) -> str:
    """One document with one head; a cell that does not apply is empty."""
    text = StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        writer.writerows(_measured(run) if run.metrics else _trained(run))
    return text.getvalue()


def _measured(run: Run) -> Iterator[dict[str, Any]]:
    metrics = run.metrics
    head = {key: metrics.get(key) for key in ("model", "data", "images", "attack", "modality")}
    head |= {"run": run.path.name, "command": run.command}
    for result in results_or_none(run):
        own = {} if result is None else _radii(result)
        for protocol in PROTOCOLS:
            clean = clean_values(run, protocol)
            after = {} if result is None else attacked_values(result, protocol)
            exact = {} if result is None else attacked_values(result, protocol, "float")
            for name, value in clean.items():
                row = {**head, **own, "protocol": protocol, "metric": name, "better": better(run, name)}
                numbers = {"clean": value, "attacked": after.get(name), "change": change(value, after.get(name))}
                yield {**row, **numbers, "attacked_float": exact.get(name)}


def _radii(result: Any) -> dict[str, Any]:
    budget = result["budget"]
    own = {f"eps_{name}": budget[name]["eps"] for name in ("rgb", "depth") if name in budget}
    attacked = attacked_inputs(result)
    return {**own, "norm": budget[attacked[0]]["norm"] if attacked else None, "fooled": result["fooled"]}


def _trained(run: Run) -> Iterator[dict[str, Any]]:
    model = (run.record.get("model") or {}).get("name")
    for event in validations(run):
        for name, value in event.items():
            if isinstance(value, float):
                yield {"run": run.path.name, "command": "train", "model": model, "iteration": event["iteration"],
                       "protocol": "benchmark", "metric": name, "clean": value}  # fmt: skip
