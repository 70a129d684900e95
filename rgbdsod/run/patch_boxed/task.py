"""One patch for all images before a detector, as `rgbdsod.run.execute` runs it: fitted, laid on others, measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rgbdsod.attacks import Budget, Patch, PatchResult, fit_patch
from rgbdsod.errors import DeviceError, UsageError
from rgbdsod.run.memory import is_out_of_memory
from rgbdsod.run.patch.source import STATE, stored_patch, write_patch_to
from rgbdsod.run.patch_boxed.fitting import BoxedBatches
from rgbdsod.run.patch_boxed.places import laid_result, places_on
from rgbdsod.run.patch_defense.boxed import BoxedImages
from rgbdsod.run.patch_defense.detect_task import DetectTask
from rgbdsod.run.patch_defense.detection import DetectionSubject
from rgbdsod.run.store import DiskStore, Store

_MADE = f"{STATE}/made.json"
_BATCH = 8  # images of one step; the patch depends on it


@dataclass(eq=False, kw_only=True)
class UniversalTask(DetectTask):
    """Fit one patch, lay it on every image at places of its own, and measure the detector behind every defence.

    Args:
        fit: the images that it is fitted on; none of them is measured.
        tell: is told how far the fit is.
    """

    fit: BoxedImages
    tell: Callable[[float, float], None] = lambda done, total: None
    _patch: Patch | None = field(default=None, init=False)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**super().settings(), "universal": True, "fitted_on": self.fit.record()["fingerprint"]}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {**super().record(), "fit": self.fit.record()}

    def begin(self, store: Store) -> None:
        """Set the thresholds, and fit the patch, or go on with a fit that was interrupted."""
        super().begin(store)
        if isinstance(store, DiskStore) and (store.path / _MADE).is_file():
            self._patch = stored_patch(store, "")
            return
        wish, names = self.wish, self.detector.classes
        self._patch = self._fit(store).about(
            objective=wish.objective, victim=self.name, data=self.fit.name, images=len(self.fit),
            **{"class": None if wish.attacked is None else names[wish.attacked]},
        )  # fmt: skip
        write_patch_to(store, "", self._patch)
        store.write(_MADE, b"{}\n")

    def laid(self, subject: DetectionSubject) -> PatchResult:
        """The one patch, at places of each image's own."""
        if self._patch is None:
            raise UsageError("the patch is not fitted yet; call begin first")
        image, choice = subject.inputs["image"], self.choice
        size = (image.shape[-2], image.shape[-1])
        places = places_on(self._patch, subject.ids, size, subject.known, choice.patch, choice.seed)
        return laid_result(subject.problem, subject.inputs, self._patch, places, subject.ids)

    def metrics(self, merged: Any) -> dict[str, Any]:
        """A row for each defence, and what the patch was fitted on."""
        looks = [] if self._patch is None else self._patch.facts.get("looks", [])
        fit = {"data": self.fit.name, "images": len(self.fit), "looks": looks}
        return {**super().metrics(merged), "fit": fit}

    def _fit(self, store: Store) -> Patch:
        kept = store.path / STATE / "fit.safetensors" if isinstance(store, DiskStore) else None
        batches = BoxedBatches.of(self.detector, self.fit, self.wish, self.device, _BATCH, self.choice.seed)
        design = {key: value for key, value in self.choice.patch.parameters().items() if key != "restarts"}
        try:
            return fit_patch(
                batches, {"image": Budget("linf", 1.0)}, keep=kept, callback=self.tell, seed=self.choice.seed, **design
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise DeviceError(f"out of memory at {_BATCH} images; pass a smaller --image-size") from error
