"""`rgbdsod.attack`: adversarial examples for a data set, measured before and after."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets import Dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings, Holes
from rgbdsod.run.attack_task import AttackTask
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.modeling import device_of, get_data, get_model
from rgbdsod.run.painting import read_target
from rgbdsod.run.rehearsal import rehearse
from rgbdsod.run.results import AttackResult
from rgbdsod.run.share import Share
from rgbdsod.run.spaces import in_space
from rgbdsod.run.survey import Empty, check_images
from rgbdsod.run.threats import Eps

_ALL_PICTURES = 32  # of a set up to this size the report shows every image
_SOME_PICTURES = 16


def attack(
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    attack: str = "pgd",
    *,
    modality: str | None = None,
    space: str | None = None,
    eps: Eps | None = None,
    norm: str | None = None,
    objective: str = "bce",
    goal: str = "untargeted",
    target: str | Path | NDArray[np.uint8] | None = None,
    success: str | None = None,
    seed: int = 0,
    levels: int | None = None,
    holes: Holes = "keep",
    empty: Empty = "count",
    dtype: str = "float32",
    eot: int = 1,
    check: bool = False,
    prepared: bool = False,
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    save_images: int | str = "auto",
    save_adversarial: bool = False,
    share: Share | None = None,
    callback: ImageCallback | None = None,
    **parameters: Any,
) -> AttackResult:
    """Attack a model on every image of a data set, and measure its maps before and after.

    The adversarial inputs are rounded to the levels of image files inside their budget, encoded as PNG, decoded, and
    only then measured; the values before rounding are reported beside them.

    Args:
        model: a name of `list_models()`, or a model from `load_model` or `wrap`.
        data: a name of `list_datasets()`, a folder, or a data set.
        attack: a name of `list_attacks()`.
        modality: the input to attack, or "both"; None: those that `eps` names, else all.
        space: for models that read HHA: "hha" moves the channels, "depth" and "metric" move depth before the encoding,
            with the radius in units of [0, 1] or in metres; None: "hha".
        eps: radius in units of the [0, 1] input: a number, several to try one after another, or either by input.
        norm: "linf", "l2", "l1" or "l0"; None: linf, or the first that the attack takes.
        objective: what the attack raises.
        goal: "untargeted", "hide" (an empty map) or "paint" (the map `target`).
        target: uint8 map (H, W) or a picture's path; brought to each image's size.
        success: when an image counts as fooled, such as "iou<0.5".
        seed: of random starts; with the image's id it decides them, whatever the batch.
        levels: highest code of a grid that the attack itself rounds to: 255 or 65535.
        holes: "keep" leaves depth alone where nothing was measured.
        empty: masks without foreground: "count" or "skip".
        dtype: what the network computes in during the attack.
        eot: how many passes one gradient is the mean of, for models that answer at random.
        check: health checks on a few of the images; they are in `.metrics["health"]`.
        prepared: attack a frozen copy of the network that gives the same outputs sooner (BatchNorm folded, channels
            last); what is measured is the network itself.
        batch: images at once; None chooses, and halves it when memory runs out.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        save_images: of how many images to keep pictures: a number, "all", "none", "auto".
        save_adversarial: also keep the float32 results.
        share: compute only this part; another process with `out` on the same folder computes another.
        callback: called with (images done, images in all).
        parameters: the attack's own, such as `steps`, `step_size`, `restarts`.

    Returns:
        The measures, with `.summary()`, `.samples`, `.worst` and `.save(folder)`.

    Raises:
        UsageError: for names and values that do not fit. DataError: for images that cannot be read.
        DeviceError: when one image alone does not fit into memory.

    Example:
        >>> import rgbdsod as rs
        >>> result = rs.attack("bbsnet", "demo", eps={"depth": 8 / 255}, steps=20)  # doctest: +SKIP
        >>> print(result.summary())  # doctest: +SKIP
    """
    settings = AttackSettings(
        attack=attack, modality=modality, space=space, eps=eps, norm=norm, parameters=parameters, objective=objective,
        goal=goal, target=target, success=success, seed=seed, levels=levels, holes=holes, dtype=dtype,
        eot=eot, check=check, prepared=prepared,
    )  # fmt: skip
    task = attack_task(
        get_model(model, hha=True),
        get_data(data),
        settings,
        empty=empty,
        save_images=save_images,
        save_adversarial=save_adversarial,
    )
    where = None if out is None else Target(out=out, restart=restart)
    return AttackResult(
        execute(task, target=where, device=device_of(task.model), batch=batch, callback=callback, share=share),
    )


def attack_task(
    model: SaliencyModel,
    data: Dataset,
    settings: AttackSettings,
    *,
    empty: Empty = "count",
    save_images: int | str = "auto",
    save_adversarial: bool = False,
    given: Mapping[str, Any] | None = None,
) -> AttackTask:
    """Everything checked, nothing started.

    Args:
        model, data, settings: what to do.
        empty, save_images, save_adversarial: as for `attack`.
        given: how a command line named model and data; they are recorded so.
    """
    model, settings, space = in_space(model, data, settings)
    plan = AttackPlan.of(settings, model.inputs, model.name)
    if settings.target is not None:
        read_target(settings.target)
    rehearse(plan)
    images = check_images(data, empty)
    return AttackTask(
        model,
        images,
        plan,
        pictures=picture_count(save_images, len(images)),
        save_tensors=save_adversarial,
        space=space,
        given=given if given is not None else {"model": model.name, "data": data.name},
    )


def picture_count(wanted: int | str, images: int) -> int:
    """Of how many images pictures are kept.

    Args:
        wanted: a number, "all", "none", or "auto": all of 32, otherwise 16.
        images: how many there are.
    """
    if wanted == "auto":
        return images if images <= _ALL_PICTURES else _SOME_PICTURES
    if wanted in ("all", "none"):
        return images if wanted == "all" else 0
    try:
        count = int(wanted)
    except ValueError:
        count = -1
    if count < 0:
        raise UsageError(f"--save-images {wanted}: expected a number, all, none or auto")
    return count
