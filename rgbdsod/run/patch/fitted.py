"""One patch for all pictures, fitted on others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rgbdsod.attacks import Budget
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.stencil import stencil_facts
from rgbdsod.attacks.patch.universal import fit_patch
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.errors import DeviceError, UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.memory import is_out_of_memory
from rgbdsod.run.modeling import data_record
from rgbdsod.run.patch.batches import FitBatches
from rgbdsod.run.patch.laying import Laid
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.source import STATE, Tell, laid_by, stored_patch, write_patch_to
from rgbdsod.run.store import DiskStore, Store

_MADE = f"{STATE}/made.json"
_BATCH = 8  # pictures of one step; the patch depends on it


@dataclass(eq=False)
class Fitted:
    """One patch for all pictures, fitted on others.

    Args:
        model: attacked.
        data: the pictures that it is fitted on.
        chosen: settings, checked.
        attacked: the inputs that carry it.
    """

    model: SaliencyModel
    data: Dataset
    chosen: PatchSettings
    attacked: tuple[str, ...]
    _patch: Patch | None = None

    @property
    def several(self) -> bool:
        """There is one patch."""
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        """Nothing was sought for a picture."""
        return ()

    def begin(self, store: Store, batch: int | None, tell: Tell) -> None:
        """Fit it, or go on with a fit that was interrupted."""
        if isinstance(store, DiskStore) and (store.path / _MADE).is_file():
            self._patch = stored_patch(store, "")
            return
        self._patch = self._fit(store, tell).about(
            model=self.model.name, data=self.data.name, images=len(self.data), fingerprint=self.data.fingerprint
        )
        write_patch_to(store, "", self._patch)
        store.write(_MADE, b"{}\n")

    def _fit(self, store: Store, tell: Tell) -> Patch:
        kept = store.path / STATE / "fit.safetensors" if isinstance(store, DiskStore) else None
        batches = FitBatches(self.model, self.data, _BATCH, self.chosen.seed)
        threat = {name: Budget("linf", 1.0) for name in self.attacked}
        try:
            return fit_patch(batches, threat, keep=kept, callback=tell, **self.chosen.search(), **self.chosen.design())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise DeviceError(f"out of memory at {_BATCH} pictures; use smaller images, or --dtype bfloat16") from error

    def laid(self, samples: Sequence[Sample], objects: Tensor) -> list[Laid | None]:
        """The same on each, at its own place."""
        if self._patch is None:
            raise UsageError("the patch is not fitted yet; call begin first")
        return laid_by(self._patch, self.chosen, samples, objects)

    def borrowed(self, sample_id: str) -> Patch | None:
        """None: it is the only one."""
        return None

    def settings(self) -> dict[str, Any]:
        """How it is sought, and on what it is fitted."""
        own = {**self.chosen.record(), **stencil_facts(self.chosen.shape)}
        return {**own, "fitted_on": self.data.fingerprint}

    def facts(self) -> dict[str, Any]:
        """On what it was fitted."""
        known = {} if self._patch is None else self._patch.facts
        return {"per": "set", "fit": data_record(self.data), "looks": known.get("looks")}
