"""`evaluate_zero_shot`: how well a dual encoder classifies without training, clean and under attack."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rgbdsod.clip import ClipModel
from rgbdsod.clip.space import AttackSpace
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.images import GLYPH_TASKS, ImageSets, open_sets
from rgbdsod.run.clip.keeping import Keeper
from rgbdsod.run.clip.opening import DualEncoder, open_dual_encoder
from rgbdsod.run.clip.result import ZeroShotResult
from rgbdsod.run.clip.settings import Verdict, ZeroShotSettings, usual_eps
from rgbdsod.run.clip.task import ZeroShotTask
from rgbdsod.run.clip.texts import Templates, checked_templates, prompts_variant
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.weight_line import parse_path

Data = str | Path | ImageSet | Sequence[str | Path | ImageSet]

BATCHES = 4
"""How many batches are attacked together: images that are broken leave, and those of the next batch move up."""

_SMALL = 64  # pixels of a side, up to which an encoder is small


def evaluate_zero_shot(
    model: str | ClipModel | DualEncoder = "clip.demo",
    data: Data = GLYPH_TASKS,
    *,
    attacks: str | Sequence[str] = ("pgd", "aa-fast"),
    eps: float | Sequence[float] | None = None,
    eps_l2: float | None = None,
    steps: int | None = None,
    verdict: Verdict | None = None,
    as_released: bool = False,
    attack_space: AttackSpace = "native",
    templates: Templates = "fixed",
    template: str | None = None,
    root: str | Path | None = None,
    split: str | None = None,
    n_samples: int | None = None,
    interpolate: str | Sequence[float] = (),
    dtype: str = "float32",
    loss_scale: float | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> ZeroShotResult:
    """Measure zero-shot accuracy on clean and on attacked images.

    Only images that are classified rightly are attacked; one that is broken leaves the batch, and another takes its
    place. Random starts depend on the seed and the image's id alone, so that results are those of any batch size.

    Args:
        model: "clip.demo", an architecture of open_clip, a model, or what `open_dual_encoder` returns.
        data: sets by name or as they are; see `open_sets`. By default the five zero-shot tasks of the generated glyphs.
        attacks: names of `rgbdsod.run.clip.attacks.ZERO_SHOT_ATTACKS`; none: clean accuracy alone.
        eps: Linf radius, or several; None: 8/255 for clip.demo, 1/255 for all others.
        eps_l2, steps, as_released, attack_space, templates, dtype, loss_scale, seed: see `ZeroShotSettings`.
        verdict: "any" or "last"; None: "last" as released, otherwise "any".
        template: one prompt for all sets, with {} for the class.
        root, split: see `open_sets`.
        n_samples: images of each set, evenly over its classes; None: all.
        interpolate: shares of the tuned weights, such as "0:1:0.1"; the encoder must know the original weights.
        device: where a model that is named is loaded.
        batch: images that go through the encoder at once; None chooses, and halves it when memory runs out.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).

    Returns:
        A result with `.summary()`, `.rows`, `.averages`, `.samples`, `.warnings`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: names and values that do not fit. DataError: images that cannot be read.
        WeightsError: a loss that is not finite.

    Example:
        >>> from rgbdsod.run import evaluate_zero_shot
        >>> result = evaluate_zero_shot(data="glyphs:pairs", attacks="pgd", n_samples=256)  # doctest: +SKIP
        >>> print(result.summary())  # doctest: +SKIP
    """
    encoder = _encoder(model, device)
    path = parse_path(interpolate) if isinstance(interpolate, str) else tuple(interpolate)
    settings = ZeroShotSettings(
        attacks=tuple(attacks.split(",")) if isinstance(attacks, str) else tuple(attacks),
        eps=_radii(eps, encoder.model.name), eps_l2=eps_l2, steps=steps,
        verdict=verdict or ("last" if as_released else "any"), as_released=as_released, attack_space=attack_space,
        templates=templates, dtype=dtype, loss_scale=loss_scale, seed=seed, path=path,
    ).checked()  # fmt: skip
    sets = as_sets(data, root=root, split=split, settings=settings, template=template, count=n_samples)
    task = zero_shot_task(encoder, sets, settings)
    where = None if out is None else Target(out=out, restart=restart)
    return run_zero_shot(task, where, batch=batch, callback=callback)


def zero_shot_task(
    encoder: DualEncoder,
    data: ImageSets,
    settings: ZeroShotSettings,
    *,
    given: Mapping[str, Any] | None = None,
    command: str = "clip evaluate",
    keeper: Keeper | None = None,
) -> ZeroShotTask:
    """Everything checked, nothing started.

    Args:
        encoder, data, settings: what to do; the settings are checked ones.
        given: how a command line named model and data; they are recorded so.
        command: "clip evaluate" or "clip attack".
        keeper: of the pictures of an attack.

    Raises:
        UsageError: a path of weights without its beginning.
    """
    if settings.path and encoder.original is None:
        raise UsageError("interpolation needs the original weights; open the model with keep_original=True")
    named = {"model": encoder.model.name, "data": data.name} if given is None else given
    return ZeroShotTask(encoder, data, settings, given=named, command=command, keeper=keeper)


def run_zero_shot(
    task: ZeroShotTask,
    target: Target | None,
    *,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> ZeroShotResult:
    """Run a task, or continue it, or read its results.

    Args:
        task: what to do.
        target: where to write; None keeps everything in memory.
        batch, callback, on_open: see `rgbdsod.run.execute.execute`.
    """
    device = task.encoder.model.device
    size = batch if batch is not None else usual_batch(task.encoder.model.side, device)
    task.batch = size
    outcome = execute(task, target=target, device=device, batch=size * BATCHES, callback=callback, on_open=on_open)
    return ZeroShotResult(outcome)


def as_sets(
    data: Data,
    *,
    root: str | Path | None,
    split: str | None,
    settings: ZeroShotSettings,
    template: str | None,
    count: int | None,
) -> ImageSets:
    """Sets by name, or as they are.

    Args:
        data: one or more.
        root, split, template, count: see `open_sets`.
        settings: tell the seed and the prompts.
    """
    items = [data] if isinstance(data, str | Path | ImageSet) else list(data)
    found: list[ImageSet] = []
    for item in items:
        if isinstance(item, ImageSet):
            own = item if template is None else item.with_template(template)
            found.append(own if count is None else own.sample(count, settings.seed))
        else:
            prompts = prompts_variant(checked_templates(settings.templates))
            found += open_sets(
                item, root=root, split=split, prompts=prompts, template=template, count=count, seed=settings.seed
            ).sets
    return ImageSets(found)


def usual_batch(side: int, device: torch.device) -> int:
    """Images at once where nobody says.

    Args:
        side: of the encoder's images, in pixels.
        device: where it runs.
    """
    if side <= _SMALL:
        return 512 if device.type == "cuda" else 128
    return 128 if device.type == "cuda" else 8  # on a CPU a vision transformer is no faster with more


def _encoder(model: str | ClipModel | DualEncoder, device: str) -> DualEncoder:
    if isinstance(model, str):
        return open_dual_encoder(model, device=device)
    return DualEncoder(model) if isinstance(model, ClipModel) else model


def _radii(eps: float | Sequence[float] | None, model: str) -> tuple[float, ...]:
    if eps is None:
        return (usual_eps(model),)
    return (float(eps),) if isinstance(eps, int | float) else tuple(float(value) for value in eps)
