"""A run on cross-modal maps, as `rgbdsod.run.execute` runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rgbdsod.datasets import Dataset
from rgbdsod.defenses.patch.cross.features import FEATURES, rarity
from rgbdsod.defenses.patch.cross.verdict import Cross, accused_by_influence
from rgbdsod.models import SaliencyModel
from rgbdsod.run.modeling import data_record, device_of, inputs_of, model_record
from rgbdsod.run.patch_defense.choice import PatchChoice
from rgbdsod.run.patch_defense.saliency import SaliencySubject, donor_of
from rgbdsod.run.patch_maps.gallery import AWARE, INFLUENCE, Gallery, Laid
from rgbdsod.run.patch_maps.ranking import pixel_auroc
from rgbdsod.run.patch_maps.sampling import sampled
from rgbdsod.run.patch_maps.table import table_of
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

CALIBRATION_IMAGES = 32
"""Clean images that say what is rare, at most."""


@dataclass(frozen=True, kw_only=True)
class MapsChoice:
    """What is asked.

    Args:
        patch: size, place and steps; its modality is not used.
        goal: of the patches.
        penalties: weights of a map in the patches that know it; the best is kept. Empty: nobody knows.
        grid: windows of C4 each way.
        share: of the clean pixels that the decision may mask.
        seed: of everything random.
    """

    patch: PatchChoice = field(default_factory=PatchChoice)
    goal: str = "degrade"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0)
    grid: int = 7
    share: float = 0.01
    seed: int = 0

    def record(self) -> dict[str, Any]:
        """All that numbers depend on, in TOML's types."""
        own = {
            name: value for name, value in self.patch.record().items() if not name.startswith(("depth_", "modality"))
        }
        weights = ",".join(f"{weight:g}" for weight in self.penalties)
        return {**own, "goal": self.goal, "penalty": weights, "grid": self.grid, "share": self.share, "seed": self.seed}


@dataclass(eq=False)
class MapsTask:
    """Lay patches and stickers on every image, and ask every map where they are.

    Args:
        model: the victim.
        data: its images.
        clean: images that say what is rare.
        choice: patches and maps.
        given: how model and data were named, for config.toml.
        warnings: what a user should know before trusting a number.
    """

    model: SaliencyModel
    data: Dataset
    clean: Dataset
    choice: MapsChoice
    given: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    command: str = "patch maps"
    _cross: Cross | None = None

    @property
    def title(self) -> str:
        """Model and data."""
        return "-".join(Path(part).name for part in (self.model.name, self.data.name))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **self.choice.record()}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        found = {"model": model_record(self.model), "data": data_record(self.data), "seed": self.choice.seed}
        return {**found, "calibration": data_record(self.clean), "dtype": "float32"}

    def begin(self, store: Store) -> None:
        """Read the clean images."""
        sizes = self.clean.sizes()
        alike = [at for at, size in enumerate(sizes) if size == sizes[0]][:CALIBRATION_IMAGES]
        batch = inputs_of([self.clean[at] for at in alike], self.model.inputs, device_of(self.model))
        ready = Cross(model=self.model, grid=self.choice.grid)
        self._cross = ready.calibrate({name: batch[name] for name in self.model.inputs}, self.choice.share)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images of one size, and read the maps."""
        if self._cross is None:
            self.begin(store)
        subject = SaliencySubject(self.model, [self.data[at] for at in part], self.choice.goal)
        gallery = Gallery(subject, self._calibrated, self.choice.patch, donor_of(self.data), self.choice.seed)
        laid, placed = gallery.unaware()
        rows: list[dict[str, Any]] = []
        counts: dict[str, Any] = {}
        columns = len(laid) + len(self.choice.penalties) * len(AWARE)
        for column, one in laid.items():
            found = self._read(one)
            rows += self._rows(subject, column, one, found, placed)
            counts[column] = self._kept(found, one, subject, column, placed)
            advance(len(part) * len(counts) / columns)
        for name in AWARE if self.choice.penalties else ():
            for weight in self.choice.penalties:
                column, one = f"{name} {weight:g}", gallery.aware(name, weight)
                found = self._read(one, None if name == INFLUENCE else name)
                rows += self._rows(subject, column, one, found, placed)
                if name == INFLUENCE:
                    counts[column] = self._kept(found, one, subject, column, placed)
        advance(len(part))
        return Piece(list(subject.ids), rows, counts)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """The table."""
        found = table_of(merged.rows, merged.counts, merged.ids)
        return {**found, "warnings": list(self.warnings)}

    @property
    def _calibrated(self) -> Cross:
        if self._cross is None:
            raise RuntimeError("begin() comes first")
        return self._cross

    @torch.no_grad()
    def _read(self, laid: Laid, only: str | None = None) -> dict[str, Tensor]:
        """The maps, or of a patch that knows one that alone."""
        if only is None:
            return self._calibrated.maps(laid.inputs)
        tools = self._calibrated.instruments
        if only in tools.baselines:
            baseline, key = tools.baselines[only]
            return {only: baseline.evidence(laid.inputs[key])}
        return {AWARE[only]: tools.maps[only].compute(self.model, laid.inputs)["rgb"]}

    def _rows(
        self, subject: SaliencySubject, column: str, laid: Laid, found: Mapping[str, Tensor], placed: Tensor
    ) -> list[dict[str, Any]]:
        """One for each image: harm, AUROC of each map, who is accused, and of what is under the patch."""
        looks = subject.look(laid.inputs, laid.mask)
        clean = subject.look(subject.inputs, laid.mask)
        accusations: dict[str, list[Any]] = {"accused": [None] * len(looks), "named": [None] * len(looks)}
        if len(found) == len(FEATURES):
            accusations["accused"] = list(self._calibrated.accused_of(found))
            accusations["named"] = list(accused_by_influence(found, self._calibrated.clean, laid.mask))
        rows = []
        for row, sample in enumerate(subject.ids):
            own = {name: pixel_auroc(value[row].cpu().numpy(), laid.mask[row].cpu().numpy())
                   for name, value in found.items()}  # fmt: skip
            rows.append(
                {"id": sample, "column": column, "placed": bool(placed[row]), "iou": looks[row].values["iou_rest"],
                 "clean_iou": clean[row].values["iou_rest"], "accused": accusations["accused"][row],
                 "named": accusations["named"][row], **own}
            )  # fmt: skip
        return rows

    def _kept(
        self, found: Mapping[str, Tensor], laid: Laid, subject: SaliencySubject, column: str, placed: Tensor
    ) -> Any:
        """Drawn pixels of the maps' rarities."""
        rare = {name: rarity(found[name], self._calibrated.clean[name]) for name in FEATURES}
        mask = laid.mask & placed.view(-1, 1, 1, 1).to(laid.mask.device)
        return np.asarray(sampled(rare, mask, subject.ids, self.choice.seed, column))
