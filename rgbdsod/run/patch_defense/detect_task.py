"""A run on a detector under patches, as `rgbdsod.run.execute` runs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rgbdsod.attacks import PatchResult
from rgbdsod.defenses import Purifier
from rgbdsod.models import Detector
from rgbdsod.models.detectors.objective_table import DETECTION_OBJECTIVES
from rgbdsod.run.patch_defense.boxed import BoxedImages
from rgbdsod.run.patch_defense.choice import GuardChoice
from rgbdsod.run.patch_defense.detect_metrics import detect_metrics, keep
from rgbdsod.run.patch_defense.detection import DetectionSubject, Wish
from rgbdsod.run.patch_defense.exam import Exam, checked_ids
from rgbdsod.run.patch_defense.lineup import Entry, line_up
from rgbdsod.run.patch_defense.photographs import Photographs
from rgbdsod.run.patched import write_pictures
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store
from rgbdsod.types import Inputs

CALIBRATION_IMAGES = 32
"""Clean images that set thresholds, at most."""

PICTURES = 24
"""So many images, the first ones, are kept as pictures, clean and patched."""


@dataclass(eq=False)
class DetectTask:
    """Lay patches on every image, and measure the detector behind every defence.

    Args:
        detector: the victim.
        data: its images.
        clean: images that set thresholds; None: the papers' thresholds alone.
        choice: patch and defences.
        wish: what patches are to do.
        device: where it runs.
        given: how detector and data were named, for config.toml.
        extra: defences that are ready.
        no_object: ids of images that show nothing to attack, and are left out.
        warnings: what a user should know before trusting a number.
    """

    detector: Detector
    data: BoxedImages
    clean: BoxedImages | Photographs | None
    choice: GuardChoice
    wish: Wish
    device: torch.device
    given: Mapping[str, Any] = field(default_factory=dict)
    extra: Sequence[Purifier] = ()
    no_object: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    command: str = "patch evaluate"
    _entries: list[Entry] = field(default_factory=list)
    _store: Store | None = None

    @property
    def name(self) -> str:
        """The detector's."""
        return str(getattr(self.detector, "name", type(self.detector).__name__))

    @property
    def title(self) -> str:
        """Detector, data and objective."""
        return "-".join((self.name, Path(self.data.name).name, self.wish.objective))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.detector,) if isinstance(self.detector, nn.Module) else getattr(self.detector, "modules", ())

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        names = self.detector.classes
        own = {"goal": self.wish.objective}
        own |= {} if self.wish.attacked is None else {"attacked": names[self.wish.attacked]}
        own |= {} if self.wish.label is None else {"label": names[self.wish.label]}
        more = {"extra": ",".join(one.name for one in self.extra)} if self.extra else {}
        return {**self.given, **own, **more, **self.choice.record()}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        weights = str(getattr(self.detector, "weights", ""))
        model = {"name": self.name, "weights": weights, "sha256": weights.partition("sha256:")[2] or None, "note": None}
        found = {"model": model, "data": self.data.record(), "seed": self.choice.seed, "dtype": "float32"}
        return found | ({} if self.clean is None else {"calibration": self.clean.record()})

    def begin(self, store: Store) -> None:
        """Set the thresholds."""
        self._store = store
        self._entries = line_up(self.choice, self._calibration(), self.detector, self.extra)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images of one size."""
        images, objects = self.data.batch(part)
        ids = [self.data.ids[place] for place in part]
        subject = DetectionSubject(self.detector, ids, images.to(self.device), objects, self.wish)
        checked = checked_ids(self.choice, self.data.ids)
        exam = Exam(subject, self._entries, self.choice, self.data.picture, advance, checked, self.laid(subject))
        found = exam.take()
        truth = subject.truth(found.result.mask)
        for row, sample in enumerate(ids):
            seen = {key: values[row] for key, values in found.kept.items()}
            store.write(f"detections/{sample}.json", json.dumps(self._named(keep(truth[row], seen))).encode())
            if part[row] < PICTURES:
                write_pictures(store, sample, images[row], found.result.inputs["image"][row])
        found.write(store)
        return Piece(ids, found.rows)

    def laid(self, subject: DetectionSubject) -> PatchResult | None:
        """Patches that are there already; None: one is sought for each image."""
        return None

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """A row for each defence."""
        store, classes = self._store, self.detector.classes
        kept = {name: json.loads(store.read(f"detections/{name}.json")) for name in merged.ids} if store else {}
        attacked = None if self.wish.attacked is None else classes[self.wish.attacked]
        goal = DETECTION_OBJECTIVES[self.wish.objective].goal
        label = None if self.wish.label is None else classes[self.wish.label]
        found = detect_metrics(merged.rows, kept, classes, attacked, goal, label)
        own = {"class": attacked, "goal": self.wish.objective, "no_object": self.no_object}
        return {**found, **own, "warnings": list(self.warnings)}

    def _named(self, kept: dict[str, Any]) -> dict[str, Any]:
        """An image's file with the names of the classes in it."""
        views = [rows for own in kept["detections"].values() for rows in own.values()]
        labels = {int(row[5]) for rows in views for row in rows} | {int(row[4]) for row in kept["objects"]}
        return {**kept, "names": {str(label): self.detector.classes[label] for label in sorted(labels)}}

    def _calibration(self) -> Inputs | None:
        if self.clean is None:
            return None
        sizes = self.clean.sizes()
        alike = [place for place, size in enumerate(sizes) if size == sizes[0]]
        return {"image": self.clean.pictures(alike[:CALIBRATION_IMAGES]).to(self.device)}
