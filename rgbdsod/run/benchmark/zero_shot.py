"""A case of the world of zero-shot classifiers: labels of images, attacked by the very functions that attack maps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rgbdsod.attacks import Budget
from rgbdsod.attacks.suites.member import Member
from rgbdsod.clip import TextBank, ZeroShot, pixels
from rgbdsod.run.attack_settings import own_parameters
from rgbdsod.run.benchmark.line import Line
from rgbdsod.run.benchmark.suites import Case
from rgbdsod.run.clip.images import ImageSets, open_sets
from rgbdsod.run.clip.opening import DualEncoder, open_dual_encoder
from rgbdsod.run.clip.perturbed import perturbed
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

COMMAND = "bench zero-shot"

_BATCH = 64


def zero_shot_lines(
    case: Case,
    *,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    out: Path | None = None,
    callback: ImageCallback | None = None,
) -> list[Line]:
    """Measure a case, one line for each radius.

    Args:
        case: what to do.
        seed: of random starts, and of the choice of images.
        device: see `rgbdsod.clip.load_clip`.
        batch: images at once; None chooses.
        out: the folder of its run; None writes nothing.
        callback: called with (images done, images in all).

    Raises:
        UsageError: unknown model or data. DataError: images that cannot be read.
    """
    encoder = open_dual_encoder(case.model, device=device)
    data = open_sets(case.data.split(","), count=case.images, seed=seed)
    task = _Task(encoder, data, case, seed)
    outcome = execute(
        task, target=None if out is None else Target(out=out), device=encoder.model.device, batch=batch or _BATCH,
        callback=callback,
    )  # fmt: skip
    return [
        _line(case, encoder.model.name, eps, outcome.piece.rows[at :: len(case.eps)]) for at, eps in enumerate(case.eps)
    ]


@dataclass(eq=False)
class _Task:
    """The case, as `rgbdsod.run.execute` runs it."""

    encoder: DualEncoder
    data: ImageSets
    case: Case
    seed: int
    command: str = COMMAND
    _classifiers: dict[str, ZeroShot] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The case's key."""
        return self.case.key

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.encoder.model,)

    @property
    def member(self) -> Member:
        """The attack with all of its parameters."""
        name, given = self.case.member
        return Member(name, own_parameters(name, given))

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        case, own = self.case, {k: v for k, v in self.member.settings.items() if v is not None}
        return {"model": case.model, "data": case.data, "attack": self.member.attack, "norm": "linf",
                "eps": list(case.eps), **own, "objective": "ce", "seed": self.seed}  # fmt: skip

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {"model": self.encoder.record(), "data": self.data.record(), "seed": self.seed, "dtype": "float32"}

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
        right = (classifier.predict(images) == labels).tolist()
        after: list[list[bool]] = []
        for turn, eps in enumerate(self.case.eps):
            moved = perturbed(classifier, images, labels, ids, [self.member], Budget(eps=eps), seed=self.seed)
            after.append((classifier.predict(moved) == labels).tolist())
            advance(len(part) * (turn + 1) / len(self.case.eps))
        rows = [
            {"id": name, "eps": eps, "right": right[at], "right_after": right[at] and kept[at]}
            for at, name in enumerate(ids)
            for eps, kept in zip(self.case.eps, after, strict=True)
        ]
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Accuracies before and after."""
        count = len(self.case.eps)
        turns = [merged.rows[turn::count] for turn in range(count)]
        robust = [sum(row["right_after"] for row in rows) / len(rows) for rows in turns]
        clean = sum(row["right"] for row in turns[0]) / len(turns[0])
        return {"clean": clean, "attacked": robust, "eps": list(self.case.eps)}


def _line(case: Case, network: str, eps: float, rows: list[dict[str, Any]]) -> Line:
    right, kept = (np.array([row[name] for row in rows], bool) for name in ("right", "right_after"))
    return Line.of(
        case, network, eps, clean=right.astype(float), attacked=kept.astype(float), failed=~right, fails=~kept,
    )  # fmt: skip
