"""A patch sought for each picture."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.attacks.patch.attack import adversarial_patch
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.stencil import stencil_facts
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.models import SaliencyModel
from rgbdsod.run.measure import finite
from rgbdsod.run.memory import default_batch
from rgbdsod.run.modeling import device_of, inputs_of
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.patch.laying import Laid
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.source import STATE, Tell, stored_patch, write_patch_to
from rgbdsod.run.patch.within import Within
from rgbdsod.run.pieces import Piece, compute_pieces, stored_pieces
from rgbdsod.run.store import Store

COLUMNS = ("start_loss", "loss", "forward", "backward", "seconds")


@dataclass(eq=False)
class Sought:
    """A patch for each picture.

    Args:
        model: attacked.
        data: the pictures.
        chosen: settings, checked.
        attacked: the inputs that carry the patch.
    """

    model: SaliencyModel
    data: Dataset
    chosen: PatchSettings
    attacked: tuple[str, ...]
    _found: dict[str, Laid] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether two pictures have one."""
        return len(self._found) > 1

    @property
    def columns(self) -> tuple[str, ...]:
        """What the search took."""
        return COLUMNS

    def begin(self, store: Store, batch: int | None, tell: Tell) -> None:
        """Seek the patches that are not there yet; finished pieces are kept."""
        part = Within(store, STATE)
        done, size = 0.0, len(self.data)

        def on_done(count: int) -> None:
            nonlocal done
            done = count
            tell(count, size)

        compute_pieces(
            part, self.data.ids, self.data.sizes(), batch or default_batch(device_of(self.model)),
            lambda rows: self._piece(rows, store, lambda more: tell(done + more, size)), note=LOGGER.warning,
            on_done=on_done,
        )  # fmt: skip
        rows = [row for piece in stored_pieces(part) for row in piece.rows]
        for row in rows:
            if row["placed"] and row["id"] not in self._found:
                self._found[row["id"]] = Laid.of(stored_patch(store, f"patches/{row['id']}"), row["facts"])

    def laid(self, samples: Sequence[Sample], objects: Tensor) -> list[Laid | None]:
        """Each picture's own."""
        return [self._found.get(sample.id) for sample in samples]

    def borrowed(self, sample_id: str) -> Patch | None:
        """The patch of the next picture that has one."""
        start = self.data.ids.index(sample_id)
        for turn in range(1, len(self.data)):
            other = self._found.get(self.data.ids[(start + turn) % len(self.data)])
            if other is not None:
                return other.patch
        return None

    def settings(self) -> dict[str, Any]:
        """How they are sought."""
        return {**self.chosen.record(), **stencil_facts(self.chosen.shape)}

    def facts(self) -> dict[str, Any]:
        """Nothing more."""
        return {"per": "picture"}

    def _piece(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        samples = [self.data[index] for index in part]
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        ids = [sample.id for sample in samples]
        begin = time.perf_counter()
        result = adversarial_patch(
            MapProblem(self.model, batch["mask"]), {name: batch[name] for name in self.model.inputs},
            {name: Budget("linf", 1.0) for name in self.attacked}, sample_ids=ids,
            callback=lambda done, total: advance(len(part) * done / max(total, 1)),
            **self.chosen.search(), **self.chosen.design(),
        )  # fmt: skip
        seconds = (time.perf_counter() - begin) / len(part)
        rows = []
        for row, (name, patch) in enumerate(zip(ids, result.patches, strict=True)):
            facts = {
                "start_loss": finite(result.start_loss[row].item()), "loss": finite(result.loss[row].item()),
                "forward": int(result.forward[row]), "backward": int(result.backward[row]), "seconds": seconds,
            }  # fmt: skip
            rows.append({"id": name, "placed": patch is not None, "facts": facts})
            if patch is not None:
                own = patch.about(model=self.model.name, data=self.data.name, image=name)
                write_patch_to(store, f"patches/{name}", own)
                self._found[name] = Laid.of(own, facts)
        return Piece(ids, rows)
