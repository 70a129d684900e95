"""The documents of `--json`; their schemas lie in rgbdsod/cli/schemas."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.run.definitions import REPORTED, key
from rgbdsod.run.execute import Outcome


def attack_document(outcome: Outcome) -> dict[str, Any]:
    """What `attack --json` prints: flat for one eps, a list of the same under "results" for several."""
    metrics = outcome.metrics
    documents = [_attack(outcome, turn) for turn in range(len(metrics["results"]))]
    if len(documents) == 1:
        return {"schema": "rgbdsod.attack/1"} | documents[0]
    return {
        "schema": "rgbdsod.attacks/1",
        "images": metrics["images"],
        "results": documents,
        "worst": values(metrics["worst"]["benchmark"]) | {"fooled": metrics["worst"]["fooled"]},
        "run": _run(outcome),
    }


def evaluation_document(outcome: Outcome) -> dict[str, Any]:
    """What `evaluate --json` prints."""
    metrics = outcome.metrics
    return {
        "schema": "rgbdsod.evaluate/1",
        "model": metrics["model"],
        "data": metrics["data"],
        "images": metrics["images"],
        "clean": values(metrics["clean"]["benchmark"]),
        "raw": {"clean": values(metrics["clean"]["raw"])},
        "note": metrics["note"],
        "seconds": outcome.record.get("seconds"),
        "run": _run(outcome),
    }


def values(chosen: Mapping[str, Any]) -> dict[str, float]:
    """The reported values of a data set under their short names."""
    return {key(name): chosen["values"][name] for name in REPORTED if name in chosen["values"]}


def _attack(outcome: Outcome, turn: int) -> dict[str, Any]:
    metrics = outcome.metrics
    result = metrics["results"][turn]
    rows = outcome.piece.rows[turn :: len(metrics["results"])]
    space = {"space": metrics["space"]} if "space" in metrics else {}
    return {
        "model": metrics["model"],
        "data": metrics["data"],
        "attack": metrics["attack"],
        "modality": metrics["modality"],
        **space,
        "images": metrics["images"],
        "clean": values(metrics["clean"]["benchmark"]),
        "attacked": values(result["attacked"]["benchmark"]),
        "raw": {"clean": values(metrics["clean"]["raw"]), "attacked": values(result["attacked"]["raw"])},
        "float": {"attacked": values(result["float"]["benchmark"]), "fooled": result["fooled_float"]},
        "fooled": result["fooled"],
        "fooled_before": result["fooled_before"],
        "success": result["success"],
        "budget": result["budget"],
        "parameters": result["parameters"],
        "smallest": result["smallest"],
        "passes": result["passes"],
        "seconds": sum(row["seconds"] for row in rows),
        "health": metrics.get("health", []),
        "note": metrics["note"],
        "run": _run(outcome),
    }


def _run(outcome: Outcome) -> str | None:
    return None if outcome.folder is None else str(outcome.folder)
