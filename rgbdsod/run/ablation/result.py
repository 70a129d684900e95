"""What an ablation found: one document, and tables of it as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Dataset
from rgbdsod.run.ablation.derived import Means, derived_numbers, table_rows
from rgbdsod.run.ablation.grid import Grid
from rgbdsod.run.ablation.measure import CLEAN, Cell, Condition
from rgbdsod.run.ablation.weights import Trained
from rgbdsod.run.tables import align
from rgbdsod.run.threats import show_eps

SCHEMA = "rgbdsod.ablation/1"
NOTE = "networks trained for this ablation: not comparable with published numbers"


@dataclass(frozen=True, eq=False)
class AblationResult:
    """A finished ablation.

    Args:
        document: the content of ablation.json.
        folder: the run folder, if one was written.
        reused: the run was finished before, and was only read.
    """

    document: dict[str, Any]
    folder: Path | None = None
    reused: bool = False

    @property
    def cells(self) -> list[dict[str, Any]]:
        """One row per network and condition."""
        rows: list[dict[str, Any]] = self.document["cells"]
        return rows

    @property
    def table(self) -> list[dict[str, Any]]:
        """Means over seeds and images, with 95 % intervals."""
        rows: list[dict[str, Any]] = self.document["table"]
        return rows

    def derived(self, kind: str) -> list[dict[str, Any]]:
        """The derived numbers of one kind, such as "reliance"; see `rgbdsod.run.ablation.derived`."""
        return [row for row in self.document["derived"] if row["kind"] == kind]

    def summary(self) -> str:
        """The S-measure of each design: clean, under every attack and radius, and without either input."""
        columns = list(dict.fromkeys((row["attack"], row["modality"], row["eps"]) for row in self.table))
        rows = [["design", "training", *(_head(*column) for column in columns)]]
        designs = dict.fromkeys((row["model"], row["fusion"], row["training"]) for row in self.table)
        means = {
            (row["model"], row["fusion"], row["training"], row["attack"], row["modality"], row["eps"]): row["mean"]
            for row in self.table
        }
        for model, fusion, training in designs:
            found = [means.get((model, fusion, training, *column)) for column in columns]
            values = ["" if value is None else f"{value:.3f}" for value in found]
            rows.append([f"{model} {fusion}", training, *values])
        return "\n".join(align(rows))


def build_document(
    grid: Grid, data: Dataset, networks: Sequence[Trained], cells: Sequence[Cell], transfer: list[dict[str, Any]]
) -> dict[str, Any]:
    """The content of ablation.json.

    Args:
        grid: what was done; data: on these images.
        networks: all of the grid, trained.
        cells: of all networks.
        transfer: rows of the transfer matrices.
    """
    means = Means(cells)
    clean = {cell.network: cell.values for cell in cells if cell.condition == Condition()}
    return {
        "schema": SCHEMA,
        "settings": grid.record(),
        "data": {"name": data.name, "images": len(data), "fingerprint": data.fingerprint},
        "note": NOTE,
        "measure": "sm",
        "variants": [
            {"key": own.network.key, **vars(own.network), "parameters": own.record["parameters"]}
            | {"sha256": own.record["sha256"], "clean": clean[own.network]}
            for own in networks
        ],
        "cells": [cell.row() for cell in cells],
        "table": table_rows(means),
        "derived": [number.row() for number in derived_numbers(means)],
        "transfer": transfer,
    }


def _head(attack: str, modality: str, eps: float) -> str:
    """A column's head."""
    if attack == CLEAN:
        return CLEAN
    return f"{attack} {modality}" + (f" {show_eps(eps)}" if eps else "")
