"""A run on defences of a saliency network, as `rgbdsod.run.execute` runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from rgbdsod.datasets import Dataset
from rgbdsod.defenses import Purifier
from rgbdsod.models import SaliencyModel
from rgbdsod.run.modeling import data_record, device_of, inputs_of, model_record
from rgbdsod.run.patch_defense.choice import GuardChoice
from rgbdsod.run.patch_defense.defend_metrics import defend_metrics
from rgbdsod.run.patch_defense.exam import Exam, checked_ids
from rgbdsod.run.patch_defense.lineup import Entry, line_up
from rgbdsod.run.patch_defense.saliency import SaliencySubject, donor_of
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

CALIBRATION_IMAGES = 32
"""Clean images that set thresholds, at most."""


@dataclass(eq=False)
class DefendTask:
    """Lay patches on every image, and measure the network behind every defence.

    Args:
        model: the victim.
        data: its images.
        clean: images that set thresholds; None: the papers' thresholds alone.
        choice: patch and defences.
        goal: of the patches, "hide" or "degrade".
        given: how model and data were named, for config.toml.
        extra: defences that are ready.
        warnings: what a user should know before trusting a number.
    """

    model: SaliencyModel
    data: Dataset
    clean: Dataset | None
    choice: GuardChoice
    goal: str
    given: Mapping[str, Any] = field(default_factory=dict)
    extra: Sequence[Purifier] = ()
    warnings: list[str] = field(default_factory=list)
    command: str = "patch defend"
    _entries: list[Entry] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Model, data and modality."""
        return "-".join(Path(part).name for part in (self.model.name, self.data.name, self.choice.patch.modality))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        own = {"goal": self.goal}
        more = {"extra": ",".join(one.name for one in self.extra)} if self.extra else {}
        return {**self.given, **own, **more, **self.choice.record()}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        found = {"model": model_record(self.model), "data": data_record(self.data), "seed": self.choice.seed}
        clean = {} if self.clean is None else {"calibration": data_record(self.clean)}
        return {**found, **clean, "dtype": "float32"}

    def begin(self, store: Store) -> None:
        """Set the thresholds."""
        clean = None
        if self.clean is not None:
            alike = [at for at, size in enumerate(self.clean.sizes()) if size == self.clean.sizes()[0]]
            samples = [self.clean[at] for at in alike[:CALIBRATION_IMAGES]]
            batch = inputs_of(samples, self.model.inputs, device_of(self.model))
            clean = {name: batch[name] for name in self.model.inputs}
        self._entries = line_up(self.choice, clean, self.model, self.extra)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images of one size."""
        samples = [self.data[index] for index in part]
        subject = SaliencySubject(self.model, samples, self.goal)
        found = Exam(
            subject, self._entries, self.choice, donor_of(self.data), advance, checked_ids(self.choice, self.data.ids)
        ).take()
        found.write(store)
        return Piece(list(subject.ids), found.rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """A row for each defence."""
        found = defend_metrics(merged.rows)
        return {**found, "measure": "IoU beside the patch", "warnings": list(self.warnings)}
