"""`make_patches`: patches for a saliency network on a data set, measured beside their controls."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack import picture_count
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.modeling import device_of, get_data, get_model
from rgbdsod.run.patch.batches import halves, refuse_shared
from rgbdsod.run.patch.catalogue import write_catalogue
from rgbdsod.run.patch.fitted import Fitted
from rgbdsod.run.patch.laying import check_fits
from rgbdsod.run.patch.result import PatchRun
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.sought import Sought
from rgbdsod.run.patch.task import PatchTask
from rgbdsod.run.survey import Empty, check_images

_SEARCH = 0.9  # of the progress that is shown: measuring takes little time beside it


def make_patches(
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    fit_data: str | Path | Dataset | None = None,
    empty: Empty = "count",
    save_images: int | str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
    **settings: Any,
) -> PatchRun:
    """Make patches, one for each image or one for all, and measure them beside control patches.

    What is measured is read back from the saved files: the patch from its own, the patched picture from its PNG.

    Args:
        model: a name of `list_models()`, or a model from `load_model` or `wrap`.
        data: the images: a name of `list_datasets()`, a folder, or a data set.
        fit_data: universal only: other images to fit the patch on; None: half of `data`, and the other half is
            measured.
        empty: masks without foreground: "count" or "skip".
        save_images: of how many images to keep pictures and controls: a number, "all", "none", "auto".
        batch: images at once; None chooses, and halves it when memory runs out.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).
        settings: see `PatchSettings`: `modality`, `goal`, `size`, `where`, `depth_mode`, `transforms`, `universal`, ...

    Returns:
        The measures, with `.summary()`, `.samples`, `.effects`, `.no_place`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: for names and values that do not fit. DataError: for images that cannot be read, or none with a
            place for the patch. DeviceError: when one image alone does not fit into memory.

    Example:
        >>> from rgbdsod.run import make_patches
        >>> run = make_patches("bbsnet", "demo", modality="both", size="5%", steps=50)  # doctest: +SKIP
        >>> print(run.summary())  # doctest: +SKIP
    """
    known = PatchSettings.__dataclass_fields__
    for name in settings:
        if name not in known:
            raise UsageError(f'make_patches takes no "{name}"; settings are {", ".join(known)}')
    task = make_task(
        get_model(model), get_data(data), PatchSettings(**settings).checked(),
        fit_data=None if fit_data is None else get_data(fit_data), empty=empty, save_images=save_images,
    )  # fmt: skip
    return run_patch(task, None if out is None else Target(out=out, restart=restart), batch=batch, callback=callback)


def make_task(
    model: SaliencyModel,
    data: Dataset,
    chosen: PatchSettings,
    *,
    fit_data: Dataset | None = None,
    empty: Empty = "count",
    save_images: int | str = "auto",
    given: Mapping[str, Any] | None = None,
) -> PatchTask:
    """Everything checked, nothing started.

    Args:
        model, data, chosen: what to do; the settings are checked ones.
        fit_data, empty, save_images: as for `make_patches`.
        given: how a command line named model and data; they are recorded so.

    Raises:
        UsageError: settings that do not fit the model. DataError: photographs that are both fitted and measured.
    """
    attacked = chosen.attacked(model.inputs, model.name)
    if fit_data is not None and not chosen.universal:
        raise UsageError("--fit-data is for a universal patch; add --universal")
    images = check_images(data, empty)
    check_fits(images.sizes(), chosen, chosen.shape)
    source: Sought | Fitted
    if chosen.universal:
        fit, images = halves(images, chosen.seed) if fit_data is None else (check_images(fit_data, empty), images)
        refuse_shared(fit, images)
        source = Fitted(model, fit, chosen, attacked)
    else:
        source = Sought(model, images, chosen, attacked)
    return PatchTask(
        model, images, chosen, attacked, source, pictures=picture_count(save_images, len(images)),
        given={"model": model.name, "data": data.name} if given is None else given,
    )  # fmt: skip


def run_patch(
    task: PatchTask,
    target: Target | None,
    *,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> PatchRun:
    """Run a task, or continue it, or read its results.

    Args:
        task: what to do.
        target: where to write; None keeps everything in memory.
        batch, callback, on_open: see `rgbdsod.run.execute.execute`.
    """
    images, show = len(task.data), callback or (lambda done, total: None)
    share = _SEARCH if task.command == "patch make" else 0.0
    task.batch = batch
    task.tell = lambda done, total: show(share * images * done / max(total, 1), images)

    def measured(done: float, total: int) -> None:
        show(total * share + (1 - share) * done, total)

    outcome = execute(
        task, target=target, device=device_of(task.model), batch=batch, callback=measured, on_open=on_open
    )
    write_catalogue(outcome)
    return PatchRun(outcome)
