"""A cell of the world of zero-shot classifiers: labels of images, attacked by the functions that attack maps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from rgbdsod.attacks import Budget
from rgbdsod.attacks.suites.member import Member
from rgbdsod.clip import TextBank, ZeroShot, pixels
from rgbdsod.run.attack_settings import own_parameters
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.measured import Measured
from rgbdsod.run.clip.images import ImageSets
from rgbdsod.run.clip.opening import DualEncoder
from rgbdsod.run.clip.perturbed import perturbed
from rgbdsod.run.execute import Outcome
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

COMMAND = "bench zero-shot"

BATCH = 64
"""Images at once when nobody says: classifiers are small beside networks of maps."""


def zero_shot_task(cell: Cell, encoder: DualEncoder, data: ImageSets) -> "ZeroShotTask":
    """Everything checked, nothing started.

    Args:
        cell: what to do.
        encoder: the cell's, loaded.
        data: the cell's images.

    Raises:
        UsageError: a parameter that the attack does not take.
    """
    attack = cell.assault
    member = Member(attack.method, own_parameters(attack.method, dict(attack.parameters)))
    return ZeroShotTask(encoder, data, cell, member)


def zero_shot_measured(cell: Cell, key: str, outcome: Outcome) -> Measured:
    """What a run of `zero_shot_task` found."""
    rows = outcome.piece.rows
    right, kept = (np.array([row[name] for row in rows], bool) for name in ("right", "right_after"))
    return Measured(
        cell, key, outcome.record["model"]["name"], tuple(row["id"] for row in rows), right.astype(float),
        kept.astype(float), ~right, ~kept,
    )  # fmt: skip


@dataclass(eq=False)
class ZeroShotTask:
    """A cell, as `rgbdsod.run.execute` runs it.

    Args:
        encoder: attacked.
        data: its images.
        cell: what to do.
        member: the attack with all of its parameters.
    """

    encoder: DualEncoder
    data: ImageSets
    cell: Cell
    member: Member
    command: str = COMMAND
    _classifiers: dict[str, ZeroShot] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The cell in words."""
        return self.cell.label

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.encoder.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        own = {name: value for name, value in self.member.settings.items() if value is not None}
        return {"model": self.cell.contender.model, "data": self.cell.data, "attack": self.member.attack,
                "norm": "linf", "eps": self.cell.eps, **own, "objective": "ce", "seed": self.cell.seed}  # fmt: skip

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {"model": self.encoder.record(), "data": self.data.record(), "seed": self.cell.seed, "dtype": "float32"}

    def begin(self, store: Store) -> None:
        """Encode the prompts of each set."""
        model = self.encoder.model
        self._classifiers = {data.name: ZeroShot(model, TextBank(model, data.prompts)) for data in self.data.sets}

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Classify and attack images of one set; an image that is wrong from the start stays wrong."""
        data, places = self.data.part(part)
        model, classifier = self.encoder.model, self._classifiers[data.name]
        images = pixels(data, places, side=model.side).to(model.device)
        labels = torch.as_tensor(data.labels[places], device=model.device)
        ids = [f"{data.name}/{data.ids[place]}" for place in places]
        budget = Budget(eps=self.cell.eps)
        moved = perturbed(classifier, images, labels, ids, [self.member], budget, seed=self.cell.seed)
        right, kept = ((classifier.predict(shown) == labels).tolist() for shown in (images, moved))
        rows = [
            {"id": name, "eps": self.cell.eps, "right": before, "right_after": before and after}
            for name, before, after in zip(ids, right, kept, strict=True)
        ]
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Accuracies before and after."""
        clean, attacked = (
            sum(row[name] for row in merged.rows) / len(merged.rows) for name in ("right", "right_after")
        )
        return {"clean": clean, "attacked": attacked, "eps": self.cell.eps}
