"""Means of attention runs over the images, with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rgbdsod.metrics import paired_change

Row = dict[str, Any]

VIEWS = ("attacked", "repaired_clean", "repaired")
"""Each against the original model's map of the clean image."""

DISTANCES = ("l2", "cosine")


def attention_metrics(rows: Sequence[Row], kinds: Sequence[str]) -> dict[str, Any]:
    """Accuracies, mean distances, and how much nearer the repaired model stays.

    Args:
        rows: one for each image.
        kinds: of attention.
    """
    views = [view for view in VIEWS if f"{view}_right" in rows[0]]
    return {
        "accuracy": {view: float(np.mean([row[f"{view}_right"] for row in rows])) for view in ("clean", *views)},
        "distances": [
            {"kind": kind, "view": view} | {name: _mean(rows, f"{kind}_{view}_{name}") for name in DISTANCES}
            for kind in kinds
            for view in views
        ],
        "changes": [
            {"kind": kind}
            | {
                name: _change(rows, *(f"{kind}_{view}_{name}" for view in ("attacked", "repaired")))
                for name in DISTANCES
            }
            for kind in kinds
            if "repaired" in views
        ],
    }


def _mean(rows: Sequence[Row], column: str) -> dict[str, float]:
    values = _column(rows, column)
    return _interval(np.zeros_like(values), values)


def _change(rows: Sequence[Row], before: str, after: str) -> dict[str, float]:
    """Of the same images."""
    return _interval(_column(rows, before), _column(rows, after))


def _column(rows: Sequence[Row], column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([row[column] for row in rows], np.float64)


def _interval(before: Any, after: Any) -> dict[str, float]:
    found = paired_change(before, after)
    return {"value": found.mean, "low": found.low, "high": found.high}
