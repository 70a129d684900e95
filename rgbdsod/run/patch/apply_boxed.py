"""`apply_patch_to_detector`: a saved patch on other images before a detector, measured beside its controls."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.stencil import is_file
from rgbdsod.datasets import BoxedSet
from rgbdsod.errors import UsageError
from rgbdsod.models import DETECTION_OBJECTIVES, Detector
from rgbdsod.models.detectors.user import open_detector
from rgbdsod.models.device import resolve_device
from rgbdsod.run.execute import ImageCallback, Target
from rgbdsod.run.patch.apply import patch_digest, settings_of
from rgbdsod.run.patch.controls import Elsewhere, controls_of
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch_boxed.places import laid_at, places_on
from rgbdsod.run.patch_defense.boxed import Size
from rgbdsod.run.patch_defense.choice import GuardChoice, PatchChoice
from rgbdsod.run.patch_defense.controls import CONTROLS
from rgbdsod.run.patch_defense.detect_metrics import keep
from rgbdsod.run.patch_defense.detect_result import DetectResult
from rgbdsod.run.patch_defense.detect_task import DetectTask
from rgbdsod.run.patch_defense.detection import DetectionSubject
from rgbdsod.run.patch_defense.evaluate import detect_task, open_boxed, run_evaluate
from rgbdsod.run.pictures import encode, to_levels
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store
from rgbdsod.types import Inputs

_BARE = "none"
_NO_MASK = dict.fromkeys(("mask_both", "mask_either", "object_masked", "clean_masked"))


@dataclass(eq=False, kw_only=True)
class LaidTask(DetectTask):
    """Lay one patch on every image, at a place of its own, and measure the undefended detector.

    Args:
        patch: what is laid.
        chosen: where, and how large.
        file: its name, for the record.
        sha256: of its tensors.
    """

    patch: Patch
    chosen: PatchSettings
    file: str
    sha256: str
    command: str = field(default="patch apply")

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        names = self.detector.classes
        known = self.chosen.record()
        own: dict[str, Any] = {"goal": self.wish.objective}
        own |= {} if self.wish.attacked is None else {"attacked": names[self.wish.attacked]}
        own |= {} if self.wish.label is None else {"label": names[self.wish.label]}
        laid: dict[str, Any] = {name: known[name] for name in ("size", "where", "at", "seed") if name in known}
        return {**self.given, **own, "patch": self.file, "patch_sha256": self.sha256, **laid}

    def begin(self, store: Store) -> None:
        """Remember where files go."""
        self._store = store

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Lay the patch on images of one size; the detector sees all of them at once, clean, patched, and controls."""
        images, objects = self.data.batch(part)
        ids = [self.data.ids[place] for place in part]
        subject = DetectionSubject(self.detector, ids, images.to(self.device), objects, self.wish)
        chosen, size = self.chosen, (images.shape[-2], images.shape[-1])
        places = places_on(self.patch, ids, size, subject.known, chosen, chosen.seed)
        views, cover = self._views(ids, places, subject.inputs)
        looks = {view: subject.look(inputs, cover) for view, inputs in views.items()}
        truth, rows = subject.truth(cover), []
        for at, (name, own) in enumerate(zip(ids, places, strict=True)):
            seen = {(_BARE, view): found[at].kept for view, found in looks.items()}
            store.write(f"detections/{name}.json", json.dumps(keep(truth[at], seen)).encode())
            if len(own):
                _write(store, name, self.patch, own, cover[at])
            values = {
                f"{view}_{key}": value for view, found in looks.items() for key, value in found[at].values.items()
            }
            values |= {f"{view}_held": found[at].held for view, found in looks.items()}
            values |= {f"none_{key}": values[f"unaware_{key}"] for key in (*looks["unaware"][at].values, "held")}
            rows.append({
                "id": name, "defense": _BARE, "thresholds": "", "row": _BARE, "placed": len(own) > 0,
                "covered": float(cover[at].float().mean()), **_NO_MASK, "seconds": 0.0, **values,
            })  # fmt: skip
        return Piece(ids, rows)

    def _views(
        self, ids: Sequence[str], places: Sequence[Tensor], inputs: Inputs
    ) -> tuple[dict[str, dict[str, Tensor]], Tensor]:
        """The images clean, under the patch and under each control, and the pixels under the patch, bool (B,1,H,W)."""
        image = inputs["image"]
        views = {name: image.clone() for name in ("clean", *CONTROLS, "unaware")}
        cover = torch.zeros_like(image[:, :1], dtype=torch.bool)
        for at, (name, own) in enumerate(zip(ids, places, strict=True)):
            if not len(own):
                continue
            cards = controls_of(self.patch, Elsewhere(self.data.picture(name)), self.chosen.seed, name)
            for view, card in {"unaware": self.patch, **cards}.items():
                if view in views:
                    patched, mask = laid_at(image[at : at + 1], card, own)
                    views[view][at] = patched[0]
                    if view == "unaware":
                        cover[at] = mask[0]
        return {view: {"image": value} for view, value in views.items()}, cover


def apply_patch_to_detector(
    file: str | Path,
    detector: str | Detector,
    data: BoxedSet | None = None,
    *,
    weights: str | Path | None = None,
    annotations: str | Path | None = None,
    images: str | Path | None = None,
    image_size: Size | None = None,
    letterbox: bool = False,
    n_samples: int | None = None,
    goal: str | None = None,
    attacked: str | None = None,
    label: str | None = None,
    size: str | None = None,
    where: str | None = None,
    at: str | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> DetectResult:
    """Lay a saved patch on images, one place each, and measure a detector clean, under it and under its controls.

    Args:
        file: a patch's folder, or a file in it; made for this detector, another, or a saliency network's RGB.
        detector, data, weights, annotations, images, image_size, letterbox, n_samples, attacked, label, device: see
            `rgbdsod.run.evaluate_patches`.
        goal: what success means, a name of `DETECTION_OBJECTIVES`; None: vanish.
        size, where, at: see `PatchSettings`; None: as the patch was made.
        seed: of the places and the controls.
        batch, out, restart, callback: see `rgbdsod.run.evaluate_patches`.

    Raises:
        UsageError: the patch changes depth, or names and values do not fit. DataError: the patch or the images cannot
            be read. WeightsError: a detector without weights.
    """
    device_ = resolve_device(device)
    made = open_detector(detector, weights=weights, device=device_) if isinstance(detector, str) else detector
    task = laid_task(
        file, made, data if data is not None else open_boxed(annotations, images, n_samples),
        {"size": size, "where": where, "at": at, "seed": seed}, goal=goal, attacked=attacked, label=label,
        image_size=image_size, letterbox=letterbox, device=device_,
    )  # fmt: skip
    return run_evaluate(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def laid_task(
    file: str | Path,
    detector: Detector,
    data: BoxedSet,
    wanted: Mapping[str, Any],
    *,
    goal: str | None = None,
    attacked: str | None = None,
    label: str | None = None,
    image_size: Size | None = None,
    letterbox: bool = False,
    device: torch.device | None = None,
    given: Mapping[str, Any] | None = None,
) -> LaidTask:
    """Everything checked, nothing started.

    Args:
        file, detector, data, goal, attacked, label, image_size, letterbox, device: as for `apply_patch_to_detector`.
        wanted: settings by name; None: as the patch was made.
        given: how a command line named detector and data; they are recorded so.
    """
    patch = Patch.load(file)
    if patch.modality != "rgb":
        raise UsageError(f"the patch changes {patch.modality}, and a detector has colours alone; pass a patch on rgb")
    known = str(patch.facts.get("objective"))
    objective = goal or (known if known in DETECTION_OBJECTIVES else "vanish")
    chosen = settings_of(patch, wanted)
    height, width = patch.alpha.shape[-2:]
    shape = f"{width}:{height}" if is_file(chosen.shape) else chosen.shape
    own = PatchChoice(modality="image", size=chosen.size, shape=shape, where=chosen.where, at=chosen.at)
    choice = GuardChoice(defenses=(), aware=False, seed=chosen.seed, patch=own)
    task = detect_task(
        detector, data, choice, goal=objective, attacked=attacked, label=label, image_size=image_size,
        letterbox=letterbox, device=device, given=given,
    )  # fmt: skip
    inherited = {one.name: getattr(task, one.name) for one in fields(DetectTask) if one.init and one.name != "command"}
    return LaidTask(**inherited, patch=patch, chosen=chosen, file=str(file), sha256=patch_digest(file))


def _write(store: Store, name: str, patch: Patch, places: Tensor, cover: Tensor) -> None:
    """The patch with its places on an image, and the pixels that it covers."""
    for part, content in patch.about(place=places[0].tolist(), places=places.tolist()).files().items():
        store.write(f"patches/{name}/{part}", content)
    store.write(f"patches/{name}/mask.png", encode(to_levels(cover[0].float().cpu().numpy(), 255)))
