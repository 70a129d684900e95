"""`defend_patches`: a saliency network under patches, behind defences, attacked unknowingly and knowingly."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rgbdsod.attacks.patch.compose import DEPTH_MODES
from rgbdsod.attacks.patch.placement import Placement
from rgbdsod.attacks.patch.shapes import window
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.datasets import Dataset, load_dataset
from rgbdsod.defenses import Purifier
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.modeling import device_of, get_data, get_model
from rgbdsod.run.patch_defense.choice import PENALTIES, USUAL, GuardChoice, PatchChoice, names_of
from rgbdsod.run.patch_defense.defend_result import DefendResult
from rgbdsod.run.patch_defense.defend_task import DefendTask
from rgbdsod.run.patch_defense.saliency import AIMS
from rgbdsod.run.survey import check_images

SEED = 2**21
"""Of the generated scenes that set thresholds: no test and no training has them."""

_CLEAN_SCENES = 16


def defend_patches(
    model: str | SaliencyModel = "bbsnet",
    data: str | Path | Dataset = "demo:scenes",
    *,
    defenses: str | Sequence[str | Purifier] = USUAL,
    thresholds: str = "calibrated",
    calibration: str | Path | Dataset | None = None,
    share: float = 0.01,
    aware: bool = True,
    penalties: Sequence[float] = PENALTIES,
    search: str = "gradient",
    queries: int = 32,
    checks: bool = True,
    expectation: int = 20,
    goal: str = "hide",
    seed: int = 0,
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
    **patch: Any,
) -> DefendResult:
    """Measure a network behind defences under patches that do not know them, and under patches that do.

    For each image a patch is made against the undefended network, and for each defence others that know it, by the
    attacks of `rgbdsod.run.patch_defense.aware.table`: their gradient goes through the defence or its stand-in, and
    most of them also want something of the defence. What is reported as "aware" is the worst of all these for each
    image.

    Args:
        model: a name of `list_models()`, or a model.
        data: a name of `list_datasets()`, a folder, or a data set.
        defenses: names of `rgbdsod.defenses.PATCH_DEFENSES`, or defences that are ready; the references (none, oracle,
            random-mask) are always there.
        thresholds: of localisers: "calibrated" by clean images, the "paper"'s, or "both".
        calibration: clean images; None: other generated scenes where the data are generated, else the data themselves.
        share: of the clean pixels that a calibrated localiser may mask.
        aware: whether patches are made that know the defence.
        penalties: weights of the defence's score against the victim's gradient, one attack for each.
        search: "gradient", or "spsa" for a search by scores alone besides, from the worst patch so far.
        queries: of that search for one gradient, an even number.
        checks: whether the attacks themselves are tested, on the first three images.
        expectation: draws of a random defence of which one gradient is the mean.
        goal: "hide" (an empty map) or "degrade", away from the patch.
        seed: of everything random; with an image's id it decides places and starts.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).
        patch: fields of `rgbdsod.run.patch_defense.choice.PatchChoice`: modality, size, where, steps, ...

    Returns:
        The measures, with `.summary()`, `.samples`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: names and values that do not fit. DataError: images that cannot be read, or without a place.

    Example:
        >>> from rgbdsod.run import defend_patches
        >>> result = defend_patches("bbsnet", "scenes:4@128x128#5", defenses="lgs", steps=20)  # doctest: +SKIP
        >>> print(result.summary())  # doctest: +SKIP
    """
    names, extra = told_apart(defenses)
    choice = GuardChoice(
        defenses=names, thresholds=thresholds, share=share, aware=aware, penalties=tuple(penalties),
        search=search, queries=queries, checks=checks, expectation=expectation, seed=seed, patch=patch_choice(patch),
    )  # fmt: skip
    task = defend_task(get_model(model), get_data(data), choice, calibration=calibration, goal=goal, extra=extra)
    return run_defend(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def defend_task(
    model: SaliencyModel,
    data: Dataset,
    choice: GuardChoice,
    *,
    calibration: str | Path | Dataset | None = None,
    goal: str = "hide",
    extra: Sequence[Purifier] = (),
    given: Mapping[str, Any] | None = None,
) -> DefendTask:
    """Everything checked, nothing started; arguments as for `defend_patches`.

    Args:
        model, data, choice: what to do.
        calibration, goal, extra: see `defend_patches`.
        given: how a command line named model and data; they are recorded so.
    """
    choice = choice.checked()
    if goal not in AIMS:
        raise UsageError(f'--goal "{goal}": expected one of {", ".join(AIMS)}')
    wanted = ("rgb", "depth") if choice.patch.modality == "both" else (choice.patch.modality,)
    if missing := [name for name in wanted if name not in model.inputs]:
        raise UsageError(f"--modality {missing[0]}: {model.name} has inputs {', '.join(model.inputs)}")
    check_patch(choice.patch, sorted(set(data.sizes())))
    clean, warnings = _clean(calibration, data) if choice.needs_clean else (None, [])
    named = {"model": model.name, "data": data.name} if given is None else dict(given)
    if calibration is not None:
        named["calibration"] = calibration.name if isinstance(calibration, Dataset) else str(calibration)
    images = check_images(data, "skip")
    return DefendTask(model, images, clean, choice, goal, named, tuple(extra), warnings)


def run_defend(
    task: DefendTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> DefendResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = device_of(task.model)
    return DefendResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


def patch_choice(fields: Mapping[str, Any]) -> PatchChoice:
    """A patch from named fields.

    Raises:
        UsageError: there is no such field.
    """
    known = PatchChoice.__dataclass_fields__
    if unknown := [name for name in fields if name not in known]:
        raise UsageError(f'no setting "{unknown[0]}" of a patch; its settings are {", ".join(known)}')
    return PatchChoice(**fields)


def check_patch(choice: PatchChoice, sizes: Sequence[tuple[int, int]]) -> None:
    """Refuse a patch that fits no rule or no image.

    Args:
        choice: the patch.
        sizes: (H, W) of the images.

    Raises:
        UsageError: with what does not fit.
    """
    Placement(choice.where, choice.at)
    for name, value, known in (
        ("--transforms", choice.transforms, tuple(TRANSFORMS)),
        ("--depth-mode", choice.depth_mode, DEPTH_MODES),
        ("--modality", choice.modality, ("rgb", "depth", "both", "image")),
    ):
        if value not in known:
            raise UsageError(f"{name} {value}: expected one of {', '.join(known)}")
    for flag, count in (("--steps", choice.steps), ("--draws", choice.draws), ("--restarts", choice.restarts)):
        if count < 1:
            raise UsageError(f"{flag} {count} is too few; pass 1 or more")
    for size in sizes:
        window(choice.size, choice.shape, size)


def told_apart(defenses: str | Sequence[str | Purifier]) -> tuple[tuple[str, ...], list[Purifier]]:
    """Names of defences, and those that are ready."""
    if isinstance(defenses, str):
        return names_of(defenses), []
    names = [one for one in defenses if isinstance(one, str)]
    return names_of(names), [one for one in defenses if not isinstance(one, str)]


def _clean(calibration: str | Path | Dataset | None, data: Dataset) -> tuple[Dataset, list[str]]:
    """Images that set thresholds, and what is to be said of them."""
    if calibration is not None:
        return get_data(calibration), []
    if data.name.startswith(("scenes", "demo:scenes")):
        height, width = data.sizes()[0]
        return load_dataset(f"scenes:{_CLEAN_SCENES}@{height}x{width}#{SEED}"), []
    text = "thresholds are set by the clean images that are measured; pass --calibration DATA to set them by others"
    return data, [text]
