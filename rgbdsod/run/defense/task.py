"""A run on input defences, as `rgbdsod.run.execute` runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from rgbdsod.datasets import Dataset
from rgbdsod.defenses import Chain
from rgbdsod.metrics import MaskCache
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.defense.checks import CHECKED
from rgbdsod.run.defense.choice import DefenseChoice
from rgbdsod.run.defense.exam import Exam
from rgbdsod.run.defense.metrics import defense_metrics
from rgbdsod.run.modeling import data_record, device_of, inputs_of, model_record
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

CALIBRATION_IMAGES = 64
"""Clean images that set limits, at most."""


@dataclass(eq=False)
class DefenseTask:
    """Attack every image behind every defence.

    Args:
        model: the network.
        data: its images.
        clean: images that set limits; None: no defence has any.
        plan: of the attack; one set of radii.
        choice: how the defences are attacked.
        chains: the defences, the empty one first; their limits are set by `begin`.
        extra: names of those that a user made.
        given: how model and data were named, for config.toml.
        warnings: what a user should know before trusting a number.
    """

    model: SaliencyModel
    data: Dataset
    clean: Dataset | None
    plan: AttackPlan
    choice: DefenseChoice
    chains: list[Chain]
    extra: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    command: str = "defend"
    cache: MaskCache = field(default_factory=MaskCache)

    @property
    def title(self) -> str:
        """Model, data, attack and modality."""
        parts = (self.model.name, self.data.name, self.plan.settings.attack, self.plan.modality)
        return "-".join(Path(part).name for part in parts)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        more = {"extra": ",".join(self.extra)} if self.extra else {}
        attack = {key: value for key, value in self.plan.record().items() if key != "goal"}  # there is but one here
        return {**self.given, **attack, **self.choice.record(), **more}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        chosen = self.plan.settings
        clean = {} if self.clean is None else {"calibration": data_record(self.clean)}
        return {"model": model_record(self.model), "data": data_record(self.data), **clean, "seed": chosen.seed,
                "dtype": chosen.dtype}  # fmt: skip

    def begin(self, store: Store) -> None:
        """Set the limits."""
        if self.clean is None:
            return
        alike = [at for at, size in enumerate(self.clean.sizes()) if size == self.clean.sizes()[0]]
        samples = [self.clean[at] for at in alike[:CALIBRATION_IMAGES]]
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        clean, ids = {name: batch[name] for name in self.model.inputs}, [sample.id for sample in samples]
        self.chains = [one.given(ids, "clean").calibrate(clean, self.choice.fpr) for one in self.chains]

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images of one size."""
        samples = [self.data[index] for index in part]
        piece = AttackPiece(self.model, samples, self.plan, self.cache, weighted=False)
        masks = inputs_of(samples, self.model.inputs, device_of(self.model))["mask"]
        checked = self.data.ids[:CHECKED] if self.choice.aware and self.choice.checks else []
        exam = Exam(piece, self.model, masks, self.chains, self.choice, checked=checked, advance=advance)
        return Piece([sample.id for sample in samples], exam.take())

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """A row for each defence."""
        return {"defenses": defense_metrics(merged.rows), "measure": "IoU", "warnings": list(self.warnings)}
