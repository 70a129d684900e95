"""`evaluate_patches`: a detector under patches, with and without defences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rgbdsod.datasets import TEST_SEED, BoxedSet, CocoSet, ShapeScenes
from rgbdsod.defenses import Purifier
from rgbdsod.errors import DataError, UsageError
from rgbdsod.models import Detector
from rgbdsod.models.detectors.objective_table import DETECTION_OBJECTIVES
from rgbdsod.models.detectors.user import check_answers, check_detector, open_detector
from rgbdsod.models.device import resolve_device
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.patch_defense.boxed import BoxedImages, Size
from rgbdsod.run.patch_defense.choice import MODALITY_ORACLE, PENALTIES, GuardChoice, usual_size
from rgbdsod.run.patch_defense.defend import check_patch, patch_choice, told_apart
from rgbdsod.run.patch_defense.detect_result import DetectResult
from rgbdsod.run.patch_defense.detect_task import DetectTask
from rgbdsod.run.patch_defense.detection import Wish, has_aims
from rgbdsod.run.patch_defense.photographs import Photographs
from rgbdsod.types import Objects

SIZES: Mapping[str, Size] = {"fastestdet": (352, 352), "fcos.tiny": (128, 128)}
"""What images are brought to for a detector that works at one size."""

SCENES, CLEAN_SCENES = 64, 16
"""Generated scenes that are measured, and others that set thresholds."""


def evaluate_patches(
    detector: str | Detector = "fcos.tiny",
    data: BoxedSet | None = None,
    *,
    weights: str | Path | None = None,
    classes: Sequence[str] | None = None,
    annotations: str | Path | None = None,
    images: str | Path | None = None,
    image_size: Size | None = None,
    letterbox: bool = False,
    n_samples: int | None = None,
    goal: str = "vanish",
    attacked: str | None = None,
    label: str | None = None,
    defenses: str | Sequence[str | Purifier] = (),
    thresholds: str = "calibrated",
    calibration: str | Path | BoxedSet | None = None,
    share: float = 0.01,
    aware: bool = True,
    penalties: Sequence[float] = PENALTIES,
    search: str = "gradient",
    queries: int = 32,
    checks: bool = True,
    expectation: int = 20,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
    **patch: Any,
) -> DetectResult:
    """Measure a detector under a patch for each image: average precision, success, controls; with defences likewise.

    Args:
        detector: a name of `rgbdsod.models.DETECTORS`, "FILE.py:function", or any `Detector`.
        data: images with boxes; None: of `annotations` and `images`, or else generated scenes of shapes.
        weights: file of the detector's state dict; None: the built-in ones.
        classes: names of the classes that the file was trained for; None: those of the released weights.
        annotations: COCO instances file.
        images: folder with its images.
        image_size: (H, W) that images are brought to; None: what the detector works at, else as they are.
        letterbox: pad images to squares with grey before that, so that they keep their proportions.
        n_samples: the first so many images; None: all, of generated scenes 64.
        goal: a name of `rgbdsod.models.DETECTION_OBJECTIVES`.
        attacked: the class whose objects are attacked; None: all.
        label: the class to be seen, for goals "misclass" and "appear".
        defenses, thresholds, share, aware, penalties, search, queries, checks, expectation: see
            `rgbdsod.run.defend_patches`.
        calibration: clean images that set thresholds, a set or a folder; None: other generated scenes, or the images
            that are measured.
        seed: of everything random.
        device: where a detector that is named runs.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).
        patch: fields of `rgbdsod.run.patch_defense.choice.PatchChoice`: size, where, steps, ...

    Returns:
        The measures, with `.summary()`, `.samples`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: names and values that do not fit. DataError: annotations and images that do not. WeightsError: a
            detector without weights.

    Example:
        >>> from rgbdsod.run import evaluate_patches
        >>> result = evaluate_patches("fcos.tiny", n_samples=8, steps=20)  # doctest: +SKIP
        >>> print(result.summary())  # doctest: +SKIP
    """
    task = prepared(
        detector, data, weights=weights, classes=classes, annotations=annotations, images=images,
        image_size=image_size, letterbox=letterbox, n_samples=n_samples, goal=goal, attacked=attacked, label=label,
        defenses=defenses, thresholds=thresholds, calibration=calibration, share=share, aware=aware,
        penalties=penalties, search=search, queries=queries, checks=checks, expectation=expectation, seed=seed,
        device=device, **patch,
    )  # fmt: skip
    return run_evaluate(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def prepared(
    detector: str | Detector = "fcos.tiny",
    data: BoxedSet | None = None,
    *,
    weights: str | Path | None = None,
    classes: Sequence[str] | None = None,
    annotations: str | Path | None = None,
    images: str | Path | None = None,
    image_size: Size | None = None,
    letterbox: bool = False,
    n_samples: int | None = None,
    goal: str = "vanish",
    attacked: str | None = None,
    label: str | None = None,
    defenses: str | Sequence[str | Purifier] = (),
    thresholds: str = "calibrated",
    calibration: str | Path | BoxedSet | None = None,
    share: float = 0.01,
    aware: bool = True,
    penalties: Sequence[float] = PENALTIES,
    search: str = "gradient",
    queries: int = 32,
    checks: bool = True,
    expectation: int = 20,
    seed: int = 0,
    device: str = "auto",
    **patch: Any,
) -> DetectTask:
    """Everything opened and checked, nothing started; arguments as for `evaluate_patches`."""
    names, extra = told_apart(defenses)
    fields = {"where": "random", **patch, "modality": "image"}
    fields.setdefault("size", usual_size(fields["where"]))
    choice = GuardChoice(
        defenses=names, thresholds=thresholds, share=share, aware=aware, penalties=tuple(penalties),
        search=search, queries=queries, checks=checks, expectation=expectation, seed=seed, patch=patch_choice(fields),
    )  # fmt: skip
    where = resolve_device(device)
    victim = (
        open_detector(detector, weights=weights, classes=classes, device=where)
        if isinstance(detector, str)
        else detector
    )
    return detect_task(
        victim, data if data is not None else open_boxed(annotations, images, n_samples), choice, goal=goal,
        attacked=attacked, label=label, image_size=image_size, letterbox=letterbox, calibration=calibration,
        extra=extra, device=where,
    )  # fmt: skip


def open_boxed(annotations: str | Path | None, images: str | Path | None, count: int | None = None) -> BoxedSet:
    """COCO's annotations with their images; without either, generated scenes.

    Raises:
        UsageError: one without the other, or a count below 1.
    """
    if annotations is None and images is None:
        return ShapeScenes(SCENES if count is None else count, seed=TEST_SEED)
    if annotations is None or images is None:
        given, other = ("--annotations", "--images FOLDER") if images is None else ("--images", "--annotations FILE")
        raise UsageError(f"{given} needs {other}; pass both, or neither for generated scenes")
    return CocoSet(annotations, images, limit=count)


def detect_task(
    detector: Detector,
    data: BoxedSet,
    choice: GuardChoice,
    *,
    goal: str = "vanish",
    attacked: str | None = None,
    label: str | None = None,
    image_size: Size | None = None,
    letterbox: bool = False,
    calibration: str | Path | BoxedSet | None = None,
    extra: Sequence[Purifier] = (),
    device: torch.device | None = None,
    given: Mapping[str, Any] | None = None,
) -> DetectTask:
    """Everything checked, nothing started; arguments as for `evaluate_patches`.

    Args:
        detector, data, choice: what to do.
        goal, attacked, label, image_size, letterbox, calibration, extra: see `evaluate_patches`.
        device: where the detector runs; None: the CPU.
        given: how a command line named detector and data; they are recorded so.
    """
    choice = replace(choice, patch=replace(choice.patch, modality="image")).checked()
    choice = replace(choice, defenses=tuple(name for name in choice.defenses if name != MODALITY_ORACLE))
    name = str(getattr(detector, "name", type(detector).__name__))
    check_detector(detector, name)
    classes = tuple(detector.classes)
    size = image_size or SIZES.get(name)
    wish = Wish(goal, _position(attacked, classes, "--class"), _position(label, classes, "--label"))
    every = BoxedImages(data, classes, size, square=letterbox)
    aimed, without = every.where(lambda objects: has_aims(objects, wish))
    if not len(aimed):
        what = "an object" if attacked is None else f'a "{attacked}"'
        raise DataError(f"none of the {len(every)} images of {data.name} shows {what}; pass other images or --class")
    check_patch(choice.patch, sorted(set(aimed.sizes())))
    clean, warnings = _clean(calibration, every, choice)
    where = torch.device("cpu") if device is None else device
    named = {"detector": name, "data": data.name} if given is None else dict(given)
    if calibration is not None:
        named["calibration"] = calibration.name if isinstance(calibration, BoxedSet) else str(calibration)
    warnings += data.warnings
    task = DetectTask(detector, aimed, clean, choice, wish, where, named, tuple(extra), without, warnings)
    _try(task)
    return task


def run_evaluate(
    task: DetectTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> DetectResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = task.device
    return DetectResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


def _try(task: DetectTask) -> None:
    """Refuse an objective that this detector has not, and a detector that answers amiss, before any work."""
    from rgbdsod.run.patch_defense.detection import DetectionSubject

    images, objects = task.data.batch([0])
    images = images.to(task.device)
    DetectionSubject(task.detector, task.data.ids[:1], images, objects, task.wish).problem  # noqa: B018  (it checks)
    of_training = DETECTION_OBJECTIVES[task.wish.objective].of_training
    single = [Objects(*(field[~one.crowd].to(task.device) for field in one)) for one in objects]
    check_answers(task.detector, images, task.name, losses=single if of_training else None)


def _position(name: str | None, classes: tuple[str, ...], flag: str) -> int | None:
    if name is None:
        return None
    if name not in classes:
        raise UsageError(f'{flag} "{name}": the detector has no such class; it has {", ".join(classes[:12])}, ...')
    return classes.index(name)


def _clean(
    calibration: str | Path | BoxedSet | None, data: BoxedImages, choice: GuardChoice
) -> tuple[BoxedImages | Photographs | None, list[str]]:
    """Images that set thresholds, and what is to be said of them."""
    if not choice.needs_clean:
        return None, []
    if isinstance(calibration, BoxedSet):
        return BoxedImages(calibration, data.classes, data.size, square=data.square), []
    if calibration is not None:
        return Photographs(calibration, masks=False, size=data.size), []
    if isinstance(data.data, ShapeScenes):
        scenes = ShapeScenes(CLEAN_SCENES, seed=2 * TEST_SEED, side=data.data.side)
        return BoxedImages(scenes, data.classes, data.size), []
    text = "thresholds are set by the clean images that are measured; pass --calibration DATA to set them by others"
    return data, [text]
