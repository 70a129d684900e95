"""A pass over a data set with some model, clean and attacked, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from rgbdsod.datasets import Dataset, Sample
from rgbdsod.metrics import MaskCache, from_counts, paired_change, summary
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.definitions import key
from rgbdsod.run.interventions.result import MEASURED, Change
from rgbdsod.run.measure import measure
from rgbdsod.run.modeling import device_of, inputs_of
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.pieces import Counts, Piece, compute_pieces, merge, stored_pieces
from rgbdsod.run.store import MemoryStore

Bind = Callable[[list[int], list[Sample]], SaliencyModel]
"""From positions and samples of one size to the model for them."""

_PER_IMAGE = tuple(name for name in MEASURED if name != "fm_max")
"""Measures of a data set that are the mean of the images' own; max F is the maximum of a mean curve."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A model's maps of a data set, in one state.

    Args:
        values: of the data set by short name, benchmark protocol.
        images: of each image by short name, (N,).
        fooled: how many are; None where nothing was attacked.
    """

    values: dict[str, float]
    images: dict[str, NDArray[np.float64]]
    fooled: int | None = None

    def change(self, before: "Seen") -> dict[str, Change]:
        """From another model's or state's maps of the same images to these."""
        found = {}
        for name, value in self.values.items():
            if name in self.images:
                interval = paired_change(before.images[name], self.images[name])
                found[name] = Change(interval.mean, interval.low, interval.high)
            else:
                found[name] = Change(value - before.values[name], None, None)
        return found


@dataclass(eq=False)
class Look:
    """Looks at a data set through models.

    Args:
        data: the images.
        plan: an attack on every model; None: clean images alone.
        batch: images at once.
    """

    data: Dataset
    plan: AttackPlan | None
    batch: int
    cache: MaskCache = field(default_factory=MaskCache)

    def through(self, bind: Bind, on_done: Callable[[int], None]) -> dict[str, Seen]:
        """What a model makes of the images: "clean", and "attacked" where there is an attack.

        Args:
            bind: gives the model for some images.
            on_done: called with the images that are done.
        """
        store = MemoryStore()
        data = self.data

        def compute(part: list[int]) -> Piece:
            samples = [data[index] for index in part]
            return self._piece(bind(part, samples), samples)

        compute_pieces(
            store, data.ids, data.sizes(), self.batch, compute, note=LOGGER.warning, on_done=on_done
        )  # fmt: skip
        merged = merge(stored_pieces(store), data.ids)
        fooled = sum(row["fooled"] for row in merged.rows) if self.plan else None
        return {
            state: _seen(counts, fooled if state == "attacked" else None) for state, counts in merged.counts.items()
        }

    def _piece(self, model: SaliencyModel, samples: list[Sample]) -> Piece:
        """Counts of each state, for images of one size."""
        ids = [sample.id for sample in samples]
        if self.plan is None:
            return Piece(ids, [{"id": name} for name in ids], {"clean": self._clean(model, samples)})
        piece = AttackPiece(model, samples, self.plan, self.cache, weighted=False)
        radii = self.plan.radii[0]
        result = piece.perturbed(radii, lambda done, total: None)
        view = piece.look(piece.through_files(result, radii, MemoryStore(), keep=False))
        rows = [{"id": name, "fooled": bool(view.fooled[i])} for i, name in enumerate(ids)]
        return Piece(ids, rows, {"clean": piece.before.measured.counts, "attacked": view.measured.counts})

    def _clean(self, model: SaliencyModel, samples: Sequence[Sample]) -> Counts:
        batch = inputs_of(samples, model.inputs, device_of(model))
        with torch.no_grad():
            maps = model.predict(size=None, **{name: batch[name] for name in model.inputs}).cpu().numpy()
        masks = [sample.mask for sample in samples if sample.mask is not None]
        return measure(list(maps), masks, self.cache, weighted=False).counts


def _seen(counts: Counts, fooled: int | None) -> Seen:
    values = summary(counts, None, "benchmark").values
    images = from_counts(counts, "benchmark")
    return Seen(
        {key(name): float(values[name]) for name in MEASURED}, {key(name): images[name] for name in _PER_IMAGE}, fooled
    )
