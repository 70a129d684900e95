"""`apply_patch_file`: a saved patch on other images, or against another network, measured beside its controls."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rgbdsod.attacks.patch.file import tensors_file
from rgbdsod.attacks.patch.objectives import GOALS
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.placement import SEEKING
from rgbdsod.attacks.patch.stencil import is_file
from rgbdsod.datasets import Dataset
from rgbdsod.errors import DataError, UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack import picture_count
from rgbdsod.run.execute import ImageCallback, Target
from rgbdsod.run.modeling import get_data, get_model
from rgbdsod.run.patch.given import Given
from rgbdsod.run.patch.laying import check_fits, shape_of
from rgbdsod.run.patch.make import run_patch
from rgbdsod.run.patch.result import PatchRun
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.task import PatchTask
from rgbdsod.run.survey import Empty, check_images

_MADE_WITH = {"patch_size": "size", "shape": "shape", "where": "where", "at": "at", "depth_kind": "depth_kind",
              "patch_goal": "goal", "transforms": "transforms"}  # fmt: skip
"""What a patch's file says of how it was made, and the setting that it is the default of."""


def apply_patch_file(
    file: str | Path,
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    modality: str | None = None,
    size: str | None = None,
    where: str | None = None,
    at: str | None = None,
    depth_kind: str | None = None,
    goal: str | None = None,
    seed: int = 0,
    empty: Empty = "count",
    save_images: int | str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> PatchRun:
    """Lay a saved patch on images, one place each, and measure it beside its controls.

    Args:
        file: a patch's folder, or a file in it.
        model: a name of `list_models()`, or a model; it need not be the one that the patch was made for.
        data: a name of `list_datasets()`, a folder, or a data set.
        modality: what the patch must change; None: what it does change.
        size, where, at, depth_kind, goal: see `PatchSettings`; None: as the patch was made.
        seed: of the places and the controls.
        empty: masks without foreground: "count" or "skip".
        save_images: of how many images to keep pictures and controls: a number, "all", "none", "auto".
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).

    Raises:
        UsageError: the patch is of another modality, or the model lacks an input that it changes.
        DataError: the patch or the images cannot be read, or no image has a place for it.
    """
    wanted = {"size": size, "where": where, "at": at, "depth_kind": depth_kind, "goal": goal, "seed": seed}
    task = apply_task(
        file, get_model(model), get_data(data), wanted, modality=modality, empty=empty, save_images=save_images
    )
    return run_patch(task, None if out is None else Target(out=out, restart=restart), batch=batch, callback=callback)


def apply_task(
    file: str | Path,
    model: SaliencyModel,
    data: Dataset,
    wanted: Mapping[str, Any],
    *,
    modality: str | None = None,
    empty: Empty = "count",
    save_images: int | str = "auto",
    given: Mapping[str, Any] | None = None,
) -> PatchTask:
    """Everything checked, nothing started.

    Args:
        file, model, data, modality, empty, save_images: as for `apply_patch_file`.
        wanted: settings by name; None: as the patch was made.
        given: how a command line named model and data; they are recorded so.
    """
    patch = Patch.load(file)
    chosen = settings_of(patch, wanted)
    attacked = changed_inputs(patch, model, modality)
    images = check_images(data, empty)
    check_fits(images.sizes(), chosen, shape_of(patch, chosen.shape))
    source = Given(patch, chosen, str(file), patch_digest(file))
    return PatchTask(
        model, images, chosen, attacked, source, pictures=picture_count(save_images, len(images)),
        given={"model": model.name, "data": data.name} if given is None else given, command="patch apply",
    )  # fmt: skip


def settings_of(patch: Patch, wanted: Mapping[str, Any]) -> PatchSettings:
    """The settings that a patch was made with, but for those that are wanted otherwise.

    Raises:
        UsageError: a setting that cannot be.
    """
    known: dict[str, Any] = {own: patch.facts[name] for name, own in _MADE_WITH.items() if name in patch.facts}
    if known.get("goal") not in GOALS:  # "own": what the network's own objective wants
        known["goal"] = "hide"
    known |= {name: value for name, value in wanted.items() if value is not None}
    if "size" in known:
        known["size"] = str(known["size"])
    shape = str(known.pop("shape", "square"))
    chosen = PatchSettings(**known, shape="square" if is_file(shape) else shape)
    if chosen.where in SEEKING:
        raise UsageError(
            f"--where {chosen.where} seeks a place with gradients; a patch that is there takes another policy, such as "
            "--where random"
        )
    chosen = replace(chosen, modality=patch.modality, depth_mode=patch.depth_mode).checked()
    return replace(chosen, shape=shape)  # a picture need not be there any more: the patch has its outline


def changed_inputs(patch: Patch, model: SaliencyModel, modality: str | None) -> tuple[str, ...]:
    """The inputs that a patch changes.

    Raises:
        UsageError: others are wanted, or the model has not all of them.
    """
    if modality not in (None, patch.modality, {"both": "joint"}.get(patch.modality)):
        raise UsageError(
            f"the patch is for {patch.modality}, not for {modality}; leave --modality out, or make one with "
            f"rgbdsod patch make --modality {modality}"
        )
    found = tuple(("rgb", "depth") if patch.modality == "both" else (patch.modality,))
    if missing := [name for name in found if name not in model.inputs]:
        raise UsageError(
            f"the patch is for {patch.modality}, and {model.name} has inputs {', '.join(model.inputs)}, without "
            f"{missing[0]}; pass another patch or model"
        )
    return found


def patch_digest(file: str | Path) -> str:
    """SHA-256 of a patch's tensors, or of the picture that it is."""
    path = tensors_file(Path(file))
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
