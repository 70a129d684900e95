"""`harden`: fine-tune a dual encoder's image encoder against attacks, by any of the methods."""

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

from rgbdsod.clip import ClipModel, save_checkpoint
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.defenses.zero_shot.presets import TuningPreset
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.opening import open_dual_encoder
from rgbdsod.run.clip.prepare import prepare
from rgbdsod.run.clip.tuner import WEIGHTS, Tuner
from rgbdsod.run.clip.tuning_data import open_tuning_set
from rgbdsod.run.clip.tuning_plan import Changes, check_model, is_built_in, plan_tuning
from rgbdsod.run.trainer import TrainCallback

Select = Literal["best", "last"]
"""The weights that did best on the held-out part, or those of the last update."""


@dataclass(frozen=True, eq=False)
class HardenResult:
    """A finished fine-tuning.

    Args:
        model: with the selected weights, in evaluation mode.
        plan: what was done: the preset with what was changed.
        weights: the file, to be loaded with `rgbdsod.clip.load_checkpoint`.
        sha256: of the image encoder's weights in it.
        iteration: the update that they are from.
        best: shares of the held-out images at the best update, "clean", "robust" and their mean "score"; empty where
            nothing was held out.
        folder: where checkpoints and the log lie.
        history: the log's events, oldest first.
    """

    model: ClipModel
    plan: TuningPreset
    weights: Path
    sha256: str
    iteration: int
    best: dict[str, float]
    folder: Path
    history: list[dict[str, Any]] = field(repr=False)


def harden(
    model: str | ClipModel | None = None,
    data: str | Path | ImageSet | None = None,
    method: str | None = None,
    preset: str | None = None,
    *,
    out: str | Path,
    weights: str | Path | None = None,
    data_root: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    val_share: float = 0.05,
    validate_every: int | None = None,
    select: Select = "best",
    cache: bool = True,
    resume: bool = True,
    dtype: str = "auto",
    device: str = "auto",
    workers: int = 0,
    callback: TrainCallback | None = None,
    **changes: Unpack[Changes],
) -> HardenResult:
    """Fine-tune the image encoder of a dual encoder; text encoder and scale stay as they are, bit for bit.

    Args:
        model: "clip.demo", an architecture of open_clip, or a model, of which a copy is tuned; None: the preset's.
        data: what to learn from, see `open_tuning_set`; None: the preset's.
        method: a name of `METHODS`; None: the preset's, or tga-zsr.
        preset: a name of `TUNING_PRESETS`; None: the method's usual one for the model.
        out: folder for checkpoints, `log.jsonl` and `weights.safetensors`; a training found there continues.
        weights: a local file with both encoders to begin with, for a model that is given by name.
        data_root, split, limit: of the data, see `open_tuning_set`.
        seed: of order, noise, the held-out part and first weights of what is learned beside the encoder.
        val_share: share of the images that are held out for validation; 0: none.
        validate_every: updates between validations; None: an epoch, and at least 100.
        select: which weights are written.
        cache: keep what the original model says about clean images; False computes it in every step.
        resume: continue a training found in `out`.
        dtype: "float32", "bfloat16", or "auto": bfloat16 where the device computes in it faster (CUDA).
        device: for a model that is given by name.
        workers: processes that read images.
        callback: called after each update.
        changes: of the preset, such as `eps`, `steps`, `lr`, `batch` and `iterations`; see `Changes`.

    Raises:
        UsageError: names and values that do not fit. DataError, WeightsError: files that do not.
        NumericsError: a loss or gradient is not finite; the last checkpoint stays.

    Example:
        >>> from rgbdsod.run import harden
        >>> tuned = harden("clip.demo", "glyphs:tuning", "tecoa", out="runs/tecoa", limit=36, batch=8, iterations=1,
        ...                val_share=0.0, device="cpu")
        >>> tuned.plan.method, tuned.iteration
        ('tecoa', 1)
    """
    name = model.name if isinstance(model, ClipModel) else model
    plan = plan_tuning(name, method, preset, changes)
    if not isinstance(data, ImageSet):
        data = open_tuning_set(
            data or plan.dataset, data_root, split=split, limit=limit, prompts=plan.prompts,
            template=changes.get("template"),
        )  # fmt: skip
    if isinstance(model, ClipModel):
        if weights is not None:
            raise UsageError("weights= is for a model that is given by name; load them into this one yourself")
        start = copy.deepcopy(model)
    else:
        normalization = "clip" if is_built_in(plan.model) else plan.normalization
        start = open_dual_encoder(plan.model, weights, normalization=normalization, device=device).model
    return tune(
        start, data, plan, out=out, seed=seed, val_share=val_share, validate_every=validate_every, select=select,
        cache=cache, resume=resume, dtype=dtype, workers=workers, callback=callback,
    )  # fmt: skip


def tune(
    model: ClipModel,
    data: ImageSet,
    plan: TuningPreset,
    *,
    out: str | Path,
    select: Select = "best",
    resume: bool = True,
    callback: TrainCallback | None = None,
    seed: int = 0,
    val_share: float = 0.05,
    validate_every: int | None = None,
    cache: bool = True,
    dtype: str = "auto",
    workers: int = 0,
) -> HardenResult:
    """Fine-tune this very model by a plan; arguments as for `harden`."""
    if select not in get_args(Select):
        raise UsageError(f'no weights "{select}" to select; use {" or ".join(get_args(Select))}')
    check_model(plan, model.normalization, model.name)
    model.requires_grad_(False)
    model.visual.requires_grad_(True)
    tuning = prepare(
        model, data, replace(plan, template=data.template), seed=seed, val_share=val_share,
        validate_every=validate_every, cache=cache, dtype=dtype, workers=workers,
    )  # fmt: skip
    tuner = Tuner(tuning, Path(out))
    tuner.start(resume)
    tuner.loop(callback)
    return _finish(tuner, select)


def _finish(tuner: Tuner, select: Select) -> HardenResult:
    """The selected weights, written in our layout."""
    how = tuner.how
    iteration = tuner.select(select)
    path = tuner.folder / WEIGHTS
    settings = how.settings | {"eps": how.plan.attack.eps, "selected": select, "selected iteration": iteration}
    sha256 = save_checkpoint(how.model, path, method=how.plan.method, settings=settings)
    return HardenResult(
        model=how.model.eval(), plan=how.plan, weights=path, sha256=sha256, iteration=iteration,
        best=tuner.progress.best, folder=tuner.folder, history=tuner.history,
    )  # fmt: skip
