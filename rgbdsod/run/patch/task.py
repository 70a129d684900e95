"""Pictures measured clean, under a patch and under its controls, as `rgbdsod.run.execute` runs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rgbdsod.attacks import Budget
from rgbdsod.attacks.patch.controls import PIXELS
from rgbdsod.attacks.patch.result import stretched
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.datasets.coco.patches import PATCHES
from rgbdsod.metrics import MaskCache
from rgbdsod.metrics.histogram import BINS
from rgbdsod.models import SaliencyModel
from rgbdsod.run.adversarial import round_trip, write_pictures, write_rest, write_settings
from rgbdsod.run.modeling import data_record, device_of, inputs_of, model_record
from rgbdsod.run.patch.controls import Elsewhere, controls_of
from rgbdsod.run.patch.laying import Laid
from rgbdsod.run.patch.regions import columns, region_counts
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.source import STATE, Source, Tell, write_patch_to
from rgbdsod.run.patch.states import REGIONS, STATES, blank_row
from rgbdsod.run.patch.tables import patch_metrics
from rgbdsod.run.patch.verdict import reached
from rgbdsod.run.pictures import encode, to_levels
from rgbdsod.run.pieces import Counts, Piece
from rgbdsod.run.store import Store

Row = dict[str, Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Posed:
    """One picture with its patch and its controls.

    Args:
        sample: the picture.
        clean: its inputs, (1,C,H,W).
        laid: the patch.
        states: the inputs in each state, as the files have them.
        covers: the pixels under it, bool (H,W), in each state; all but "drawn" are alike.
    """

    sample: Sample
    clean: dict[str, Tensor]
    laid: Laid
    states: dict[str, dict[str, Tensor]]
    covers: dict[str, Flags]

    @property
    def cover(self) -> Flags:
        """The pixels under the patch as it is."""
        return self.covers["patched"]


@dataclass(eq=False)
class PatchTask:
    """Lay a patch on every picture, and measure it beside its controls.

    Args:
        model: attacked.
        data: the pictures.
        chosen: settings, checked.
        attacked: the inputs that carry the patch.
        source: of the patches.
        pictures: of how many images, from the first on, the report's pictures and the controls are written.
        given: how a command line named model and data, for config.toml.
        command: "patch make" or "patch apply".
        batch: images at once while patches are sought; None chooses.
        tell: is told how far that is.
    """

    model: SaliencyModel
    data: Dataset
    chosen: PatchSettings
    attacked: tuple[str, ...]
    source: Source
    pictures: int = 0
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = "patch make"
    batch: int | None = None
    tell: Tell = lambda done, total: None
    cache: MaskCache = field(default_factory=MaskCache)

    @property
    def title(self) -> str:
        """Model, data, goal and modality."""
        parts = (self.model.name, self.data.name, self.chosen.goal, self.modality)
        return "-".join(Path(part).name for part in parts)

    @property
    def modality(self) -> str:
        """What carries the patch, in one word."""
        return "both" if len(self.attacked) > 1 else self.attacked[0]

    @property
    def states(self) -> tuple[str, ...]:
        """What is measured; known once the patches are made."""
        pixels = "rgb" in self.attacked or self.chosen.depth_mode in ("relief", "free")
        there = {"drawn": TRANSFORMS[self.chosen.transforms].random, "other": self.source.several}
        there |= dict.fromkeys(PIXELS, pixels)
        return tuple(name for name in STATES if there.get(name, True))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **self.source.settings(), "modality": self.modality}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {
            "model": model_record(self.model),
            "data": data_record(self.data),
            "seed": self.chosen.seed,
            "dtype": self.chosen.dtype,
        }

    def begin(self, store: Store) -> None:
        """Make the patches; what a run with other settings left behind goes first."""
        if not store.names(STATE) and not store.names("samples"):
            for name in [*store.names("patches"), *store.names("controls")]:
                store.remove(name)
        store.remove(PATCHES)
        write_settings(store, f"{self.data.name}, patched")
        self.source.begin(store, self.batch, self.tell)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Measure images of one size in every state."""
        samples = [self.data[index] for index in part]
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        laid = self.source.laid(samples, (batch["mask"] > 0.5).cpu())
        posed: list[Posed | None] = []
        for place, (index, sample, own) in enumerate(zip(part, samples, laid, strict=True)):
            clean = {name: batch[name][place : place + 1] for name in self.model.inputs}
            posed.append(None if own is None else self._posed(index, sample, clean, own, store))
        for index, one in zip(part, posed, strict=True):
            if one is not None and index < self.pictures:
                self._illustrate(one, store)
        return self._piece(samples, posed)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """What the patch did, beside what its controls did."""
        return patch_metrics(merged, self.chosen, self.modality, self.source.facts(), self.model.name)

    def _posed(self, index: int, sample: Sample, clean: dict[str, Tensor], laid: Laid, store: Store) -> Posed:
        """The picture in each state, through files; those of the patch stay."""
        threat = {name: Budget("linf", 1.0) for name in self.attacked}
        patched, cover = laid.on(clean, self.chosen.kind)
        states = {"clean": clean, "patched": round_trip(store, sample, clean, patched, threat, keep=True)}
        write_rest(store, sample, threat)
        store.write(f"patches/{sample.id}/mask.png", encode(to_levels(cover.astype(np.float32), 255)))
        covers = dict.fromkeys(self.states, cover)
        if "drawn" in covers:
            there, covers["drawn"] = laid.drawn(clean, cover, self.chosen, sample.id)
            states["drawn"] = round_trip(store, sample, clean, there, threat, keep=False)
        other = self.data[(index + 1) % len(self.data)]
        elsewhere = Elsewhere(
            torch.from_numpy(other.rgb).permute(2, 0, 1).float() / 255, self.source.borrowed(sample.id)
        )
        for name, control in controls_of(laid.patch, elsewhere, self.chosen.seed, sample.id).items():
            if index < self.pictures:
                write_patch_to(store, f"controls/{name}/{sample.id}", control)
            there, _ = Laid(control, laid.place).on(clean, self.chosen.kind)
            states[name] = round_trip(store, sample, clean, there, threat, keep=False)
        return Posed(sample, clean, laid, states, covers)

    def _piece(self, samples: Sequence[Sample], posed: Sequence[Posed | None]) -> Piece:
        """The piece of all images; those without a place have no numbers."""
        states = self.states
        blank, at = blank_row(states, self.source.columns), [row for row, one in enumerate(posed) if one is not None]
        rows: list[Row] = [{**blank, "id": sample.id, "placed": False} for sample in samples]
        counts = {f"{state}/{region}": np.zeros((len(rows), BINS), np.int64) for state in states for region in REGIONS}
        if at:
            own_rows, own_counts = self._measured([one for one in posed if one is not None])
            for row, own in zip(at, own_rows, strict=True):
                rows[row] |= own
            for name, values in own_counts.items():
                counts[name][at] = values
        return Piece([sample.id for sample in samples], rows, counts)

    def _measured(self, posed: Sequence[Posed]) -> tuple[list[Row], dict[str, Counts]]:
        """Rows and counts of pictures of one size, all in the same states."""
        rows = [self._head(one) for one in posed]
        masks = [one.sample.mask for one in posed if one.sample.mask is not None]
        counts: dict[str, Counts] = {}
        for state in self.states:
            covers = [one.covers[state] for one in posed]
            maps = self._maps([one.states[state] for one in posed])
            found = region_counts(maps, masks, covers, self.cache)
            counts |= {f"{state}/{region}": own for region, own in found.items()}
            for at, own in enumerate(columns(found, state)):
                row, map_ = rows[at], maps[at]
                row.update(own)
                row[f"{state}_reached"] = reached(self.chosen.goal, row, state, map_, masks[at], covers[at])
                row[f"{state}_on_patch"] = float(map_[covers[at]].mean() / 255)
        return rows, counts

    def _maps(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[NDArray[np.uint8]]:
        batch = {name: torch.cat([one[name] for one in inputs]) for name in self.model.inputs}
        with torch.no_grad():
            return list(self.model.predict(size=None, **batch).cpu().numpy())

    def _head(self, posed: Posed) -> Row:
        rows, columns_ = np.nonzero(posed.cover)
        stretch = 0.0
        if "depth" in self.attacked:
            mask = torch.from_numpy(posed.cover)[None, None].to(posed.clean["depth"].device)
            stretch = float(stretched(posed.clean["depth"], posed.states["patched"]["depth"], mask)[0])
        return {
            "id": posed.sample.id, "placed": True, "covered": float(posed.cover.mean()),
            "top": int(rows.min()), "left": int(columns_.min()), "bottom": int(rows.max()) + 1,
            "right": int(columns_.max()) + 1, "place": json.dumps(posed.laid.place.tolist()), "stretch": stretch,
            **posed.laid.facts,
        }  # fmt: skip

    def _illustrate(self, posed: Posed, store: Store) -> None:
        """The report's pictures of an image."""
        maps = self._maps([posed.states["clean"], posed.states["patched"]])
        shown = {"clean_map": maps[0], "attacked_map": maps[1]}
        patched = {name: posed.states["patched"][name] for name in self.attacked}
        write_pictures(store, posed.sample, shown, patched)
        cover = to_levels(posed.cover.astype(np.float32), 255)
        store.write(f"images/{posed.sample.id}/cover.png", encode(cover))
