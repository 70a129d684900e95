"""From measured entries to an order."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rgbdsod.run.board.cell import Cell, Floats, mean
from rgbdsod.run.board.entry import Entry


@dataclass(frozen=True, eq=False)
class Measured:
    """An entry with all its cells.

    Args:
        entry: what was measured.
        network: of run.json: name, checksum, parameters.
        cells: every modality at every radius, nested.
        seconds: for an image, defence included.
        notes: what to know before reading its numbers.
    """

    entry: Entry
    network: Mapping[str, Any]
    cells: tuple[Cell, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> Floats:
        """For each image the mean over the cells of its worst IoU, (N,); the mean of these is the score."""
        stacked: Floats = np.stack([cell.worst for cell in self.cells]).mean(0)
        return stacked

    @property
    def failed(self) -> list[str]:
        """Failed checks with their places, each once."""
        return [f"{cell.place}: {text}" for cell in self.cells for text in cell.failed]

    @property
    def valid(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    def row(self) -> dict[str, Any]:
        """All but its rank."""
        return {
            "name": self.entry.name, "card": self.entry.card(), "network": dict(self.network),
            "clean": asdict(mean(self.cells[0].clean)), "score": asdict(mean(self.worst)), "seconds": self.seconds,
            "valid": self.valid, "failed": self.failed, "notes": list(self.notes),
            "cells": [cell.row() for cell in self.cells],
        }  # fmt: skip


def ranked(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Rows in the order of the list: by score, entries with failed checks last and without a rank.

    "above" is how much the score differs from that of the row above, paired over images.
    """
    order = sorted(measured, key=lambda one: (not one.valid, -float(one.worst.mean())))
    rows: list[dict[str, Any]] = []
    for at, own in enumerate(order):
        above = None if at == 0 else asdict(mean(own.worst - order[at - 1].worst))
        rows.append({"rank": at + 1 if own.valid else None, **own.row(), "above": above})
    return rows
