"""`fit_patch_for_detector`: one patch for all images, fitted on some and measured on others."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rgbdsod.datasets import TEST_SEED, BoxedSet, ShapeScenes
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.patch_boxed.fitting import boxed_halves, refuse_shared
from rgbdsod.run.patch_boxed.task import UniversalTask
from rgbdsod.run.patch_defense.boxed import BoxedImages
from rgbdsod.run.patch_defense.choice import MODALITY_ORACLE, REFERENCES
from rgbdsod.run.patch_defense.detect_result import DetectResult
from rgbdsod.run.patch_defense.detect_task import DetectTask
from rgbdsod.run.patch_defense.detection import has_aims

FIT_SCENES = 64
"""Generated scenes that a patch is fitted on, where nothing else is given."""

_SEEKING = ("worst", "learned")
_SEARCH = 0.9  # of the progress that is shown


def universal_task(task: DetectTask, fit_data: BoxedSet | None = None) -> UniversalTask:
    """The same run with one patch for all images.

    Args:
        task: checked, with a patch for each image.
        fit_data: images to fit on; None: of generated scenes other ones, else half of the images, and the other half
            is measured.

    Raises:
        UsageError: settings that one patch for all cannot have.
        DataError: images that are in both sets, or none to fit on.
    """
    choice, patch = task.choice, task.choice.patch
    if patch.where in _SEEKING:
        raise UsageError(f"--where {patch.where} seeks a place for each image; one patch for all takes another policy")
    if patch.restarts > 1:
        raise UsageError(f"--restarts {patch.restarts}: a universal patch is fitted once; repeat it with --seed")
    known = [name for name in choice.defenses if name not in (*REFERENCES, MODALITY_ORACLE)]
    if choice.aware and (known or task.extra):
        raise UsageError("--universal has no patches that know a defence; pass --no-aware")
    fit, data = _shared_out(task, fit_data)
    own = {one.name: getattr(task, one.name) for one in fields(DetectTask) if one.init}
    own |= {"data": data, "choice": replace(choice, aware=False)}
    if task.clean is task.data:  # thresholds were to be set by the images that are measured
        own["clean"] = data
    return UniversalTask(**own, fit=fit)


def run_universal(
    task: UniversalTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> DetectResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    images, show = len(task.data), callback or (lambda done, total: None)
    task.tell = lambda done, total: show(_SEARCH * images * done / max(total, 1), images)

    def measured(done: float, total: int) -> None:
        show(_SEARCH * total + (1 - _SEARCH) * done, total)

    device = task.device
    return DetectResult(execute(task, target=target, device=device, batch=batch, callback=measured, on_open=on_open))


def fit_patch_for_detector(
    detector: Any = "fcos.tiny",
    data: BoxedSet | None = None,
    *,
    fit_data: BoxedSet | None = None,
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
    **settings: Any,
) -> DetectResult:
    """Fit one patch for all images before a detector, and measure it on others beside its controls.

    The patch is in the run folder, where `apply_patch_to_detector` takes it; an interrupted fit goes on in its folder.

    Args:
        detector, data, batch, out, restart, callback: see `rgbdsod.run.evaluate_patches`.
        fit_data: images to fit on; None: of generated scenes other ones, else half of the images, and the other half
            is measured. No photograph may be in both.
        settings: everything else that `rgbdsod.run.evaluate_patches` takes; `steps` is 1000 and `draws` 1 by default,
            and patches that know a defence are not made.

    Raises:
        UsageError, DataError, WeightsError: as for `rgbdsod.run.evaluate_patches`.

    Example:
        >>> from rgbdsod.run import fit_patch_for_detector
        >>> result = fit_patch_for_detector("fcos.tiny", where="apde", n_samples=8, steps=100)  # doctest: +SKIP
    """
    from rgbdsod.run.patch_defense.evaluate import prepared

    task = universal_task(prepared(detector, data, **{"steps": 1000, "draws": 1, "aware": False, **settings}), fit_data)
    return run_universal(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def _shared_out(task: DetectTask, fit_data: BoxedSet | None) -> tuple[BoxedImages, BoxedImages]:
    """Images to fit on, and images to measure on."""
    data = task.data
    if fit_data is None and isinstance(data.data, ShapeScenes):
        fit_data = ShapeScenes(FIT_SCENES, seed=3 * TEST_SEED, side=data.data.side)
    if fit_data is None:
        return boxed_halves(data, task.choice.seed)
    every = BoxedImages(fit_data, data.classes, data.size, square=data.square)
    fit, _ = every.where(lambda objects: has_aims(objects, task.wish))
    if not len(fit):
        raise DataError(f"none of the {len(every)} images of {fit_data.name} shows what is attacked; pass others")
    refuse_shared(fit, data)
    return fit, data


def fit_set(flags: Mapping[str, Any]) -> BoxedSet | None:
    """The images that `--fit-annotations` and `--fit-images` name.

    Raises:
        UsageError: one without the other.
    """
    from rgbdsod.run.patch_defense.evaluate import open_boxed

    annotations, images = flags["fit_annotations"], flags["fit_images"]
    if annotations is None and images is None:
        return None
    if annotations is None or images is None:
        raise UsageError("--fit-annotations and --fit-images go together; pass both")
    return open_boxed(annotations, images)
