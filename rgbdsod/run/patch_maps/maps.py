"""`patch_maps`: cross-modal patch maps on one network, beside baselines, stickers and patches that know them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Dataset, load_dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.modeling import device_of, get_data, get_model
from rgbdsod.run.patch_defense.defend import SEED, check_patch, patch_choice
from rgbdsod.run.patch_defense.saliency import AIMS
from rgbdsod.run.patch_maps.result import MapsResult
from rgbdsod.run.patch_maps.task import MapsChoice, MapsTask
from rgbdsod.run.survey import check_images

_CLEAN_SCENES = 16
_OWN = ("modality", "depth_mode", "depth_kind")


def patch_maps(
    model: str | SaliencyModel = "bbsnet",
    data: str | Path | Dataset = "demo:scenes",
    *,
    calibration: str | Path | Dataset | None = None,
    goal: str = "degrade",
    penalties: Sequence[float] = (0.1, 1.0, 10.0),
    grid: int = 7,
    share: float = 0.01,
    seed: int = 0,
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
    **patch: Any,
) -> MapsResult:
    """Measure how well five cross-modal maps find patches, and which modality they accuse.

    On each image lie patches of four families (RGB of noise, RGB smooth, both with a plane, depth), three stickers that
    are no attack, and for each map patches in RGB that know it. Beside the maps stand four baselines of one modality,
    and a regression over all of them, fitted on other images, with and without the family that it is tested on.

    Args:
        model: a name of `list_models()`, or a model with RGB and depth.
        data: a name of `list_datasets()`, a folder, or a data set.
        calibration: clean images that say what is rare; None: other generated scenes where the data are generated, else
            the data themselves.
        goal: "hide" or "degrade", away from the patch.
        penalties: weights of a map in the patches that know it; empty: nobody knows.
        grid: windows of C4 each way, 2 or more.
        share: of the clean pixels that the decision may mask.
        seed: of everything random; with an image's id it decides places and starts.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).
        patch: size, shape, where, at, steps, restarts, transforms, draws of the patches.

    Returns:
        The table, with `.summary()`, `.samples`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: names and values that do not fit. DataError: images that cannot be read.

    Example:
        >>> from rgbdsod.run import patch_maps
        >>> print(patch_maps("bbsnet", "scenes:4@96x96#5", steps=20).summary())  # doctest: +SKIP
    """
    if wrong := [name for name in _OWN if name in patch]:
        raise UsageError(f'"{wrong[0]}" is part of the families that are compared; leave it out')
    choice = MapsChoice(
        patch=patch_choice(patch), goal=goal, penalties=tuple(penalties), grid=grid, share=share, seed=seed
    )
    task = maps_task(get_model(model), get_data(data), choice, calibration=calibration)
    return run_maps(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def maps_task(
    model: SaliencyModel,
    data: Dataset,
    choice: MapsChoice,
    *,
    calibration: str | Path | Dataset | None = None,
    given: Mapping[str, Any] | None = None,
) -> MapsTask:
    """Everything checked, nothing started; arguments as for `patch_maps`.

    Args:
        model, data, choice: what to do.
        calibration: see `patch_maps`.
        given: how a command line named model and data; they are recorded so.
    """
    if missing := [name for name in ("rgb", "depth") if name not in model.inputs]:
        raise UsageError(f"{model.name} has inputs {', '.join(model.inputs)}; these maps need {missing[0]}")
    if choice.goal not in AIMS:
        raise UsageError(f'--goal "{choice.goal}": expected one of {", ".join(AIMS)}')
    if any(weight <= 0 for weight in choice.penalties):
        raise UsageError(f"--penalty {min(choice.penalties):g}: weights of a map are above 0; leave all out for nobody")
    if choice.grid < 2:
        raise UsageError(f"--grid {choice.grid}: pass 2 windows or more each way")
    if not 0 < choice.share < 1:
        raise UsageError(f"--share {choice.share:g}: pass a share of the clean pixels between 0 and 1, such as 0.01")
    check_patch(choice.patch, sorted(set(data.sizes())))
    clean, warnings = _clean(calibration, data)
    named = {"model": model.name, "data": data.name} if given is None else dict(given)
    if calibration is not None:
        named["calibration"] = clean.name if isinstance(calibration, Dataset) else str(calibration)
    return MapsTask(model, check_images(data, "skip"), clean, choice, named, warnings)


def run_maps(
    task: MapsTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> MapsResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = device_of(task.model)
    return MapsResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


def _clean(calibration: str | Path | Dataset | None, data: Dataset) -> tuple[Dataset, list[str]]:
    """Images that say what is rare, and what is to be said of them."""
    if calibration is not None:
        return get_data(calibration), []
    if data.name.startswith(("scenes", "demo:scenes")):
        height, width = data.sizes()[0]
        return load_dataset(f"scenes:{_CLEAN_SCENES}@{height}x{width}#{SEED}"), []
    text = "what is rare is said by the clean images that are measured; pass --calibration DATA to say it by others"
    return data, [text]
