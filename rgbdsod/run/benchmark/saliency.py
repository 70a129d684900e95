"""A cell of the world of saliency networks: `rgbdsod.attack`, whatever it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from rgbdsod.datasets import Dataset
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack import attack_task
from rgbdsod.run.attack_settings import AttackSettings
from rgbdsod.run.attack_task import AttackTask
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.measured import MEASURES, Measured
from rgbdsod.run.execute import Outcome
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import MemoryStore, Store

COLUMNS = ("sm", "mae", "wfm", "iou_bin")
"""Measures of each image that a benchmark's table of samples has, benchmark protocol."""


@dataclass(eq=False)
class NumbersOnly:
    """An attack of which the numbers are kept and no files: a grid would leave a data set in every cell.

    Args:
        attack: to be run.
    """

    attack: AttackTask

    @property
    def command(self) -> str:
        """That of an attack: its folder is one."""
        return self.attack.command

    @property
    def title(self) -> str:
        """The attack's."""
        return self.attack.title

    @property
    def data(self) -> Dataset:
        """The attack's."""
        return self.attack.data

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return self.attack.modules

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return self.attack.settings()

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return self.attack.record()

    def begin(self, store: Store) -> None:
        """Nothing is written before the first piece."""

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images; what is encoded as PNG and read back on the way is dropped."""
        return self.attack.compute(part, MemoryStore(), advance)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """The attack's."""
        return self.attack.metrics(merged)


def saliency_task(cell: Cell, model: SaliencyModel, data: Dataset) -> NumbersOnly:
    """Everything checked, nothing started.

    Args:
        cell: what to do.
        model: the cell's, loaded.
        data: the cell's images.

    Raises:
        UsageError: a model without the attacked input, or a parameter that the attack does not take.
    """
    settings = AttackSettings(
        attack=cell.assault.method, parameters=dict(cell.assault.parameters), modality=cell.modality, eps=cell.eps,
        seed=cell.seed, prepared=True,
    )  # fmt: skip
    own = cell.contender
    named = {"model": own.model, "fusion": own.fusion, "size": own.size and f"{own.size[0]}x{own.size[1]}"}
    given = {name: value for name, value in named.items() if value} | {"data": data.name}
    return NumbersOnly(attack_task(model, data, settings, save_images="none", given=given))


def saliency_measured(cell: Cell, key: str, outcome: Outcome) -> Measured:
    """What a run of `saliency_task` found."""
    rows, main = outcome.piece.rows, MEASURES[cell.contender.world]
    numbers = {
        f"{view}_{name}": np.array([row[f"{view}_{name}"] for row in rows], np.float64)
        for name in COLUMNS
        for view in ("clean", "attacked")
    }
    failed, fails = (np.array([row[name] for row in rows], bool) for name in ("fooled_before", "fooled"))
    return Measured(
        cell, key, outcome.record["model"]["name"], tuple(row["id"] for row in rows), numbers[f"clean_{main}"],
        numbers[f"attacked_{main}"], failed, fails, numbers,
    )  # fmt: skip


def spread(data: Dataset, count: int | None) -> Dataset:
    """Some images of a data set, at even distances from its first to its last, so that every kind is among them.

    Args:
        data: all of them.
        count: how many; None, or more than there are: all.
    """
    if count is None or count >= len(data):
        return data
    return data.select(ids=[data.ids[len(data) * place // count] for place in range(count)])
