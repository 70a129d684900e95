"""Train a saliency network: deep supervision, checkpoints, and a stream that a restart continues where it stopped."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Augmentation, Dataset, load_dataset
from rgbdsod.defenses import MapHardening
from rgbdsod.errors import UsageError
from rgbdsod.models import MODELS, SaliencyModel, build_model, load_model, training_loss
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.consistency_settings import ConsistencySettings
from rgbdsod.run.pair_filter import PairFilter
from rgbdsod.run.peers import Peers
from rgbdsod.run.ranks import Ranks
from rgbdsod.run.recipes import RECIPES, Recipe
from rgbdsod.run.trainer import Extras, TrainCallback, Trainer, TrainResult

DTYPES = ("auto", "float32", "bfloat16")


def train(
    model: str,
    *,
    fusion: str | None = None,
    encoder: str | None = None,
    size: tuple[int, int] | None = None,
    data: str | Path | Dataset = "scenes:20000",
    val: str | Path | Dataset = "scenes:200#1",
    recipe: str | None = None,
    iterations: int | None = None,
    epochs: float | None = None,
    lr: float | None = None,
    batch: int | None = None,
    seed: int = 0,
    out: str | Path,
    init: str | Path | None = None,
    resume: bool = True,
    dtype: str = "auto",
    device: str = "auto",
    workers: int = 1,
    validate_every: int = 500,
    augmentation: Augmentation | None = None,
    adversarial: MapHardening | None = None,
    consistency: ConsistencySettings | None = None,
    alignment: AlignmentSettings | None = None,
    modality_dropout: float = 0.0,
    ema: float | None = None,
    pair_filter: PairFilter | None = None,
    tensorboard: bool = False,
    ranks: Ranks | None = None,
    callback: TrainCallback | None = None,
) -> TrainResult:
    """Train a network on RGB-D samples with masks.

    Args:
        model: a name of `list_models()`; its architecture is built anew unless `init` gives weights.
        fusion: where the modalities meet, None: as published; encoder: another one; see `load_model`.
        size: height and width that the network works at, in training and validation; None: its own.
        data: training set; val: validation set, whose S-measure selects the best weights.
        recipe: a name in `RECIPES`: "small", or an architecture's published recipe. None: "small" for the small
            networks, the published one for a published network.
        iterations: steps; or `epochs` over the training set. The default is 10 epochs' worth.
        lr: highest learning rate; batch: images in a step; both default to the recipe's.
        seed: of weights, order and augmentation.
        out: folder for `checkpoints/` and `log.jsonl`; a training found there continues when `resume` is set.
        init: weights to begin with.
        dtype: "float32", "bfloat16", or "auto": bfloat16 where the device computes in it faster (CUDA).
        workers: processes that make batches ahead of use.
        validate_every: iterations between validations.
        augmentation: what may be done to training samples.
        adversarial: how the network learns from attacked inputs, such as `rgbdsod.defenses.Trades()`.
        consistency: losses that keep the attacked network near its clean self.
        alignment: losses that are added to that of saliency, on features of the network's two encoders.
        modality_dropout: share of the training images that lose one input, replaced by its mean, in a step.
        ema: share of the averaged weights that stays in each step, such as 0.995; the averages are then validated,
            saved and returned in place of the last weights. None: no average is kept.
        pair_filter: an earlier training that says which pairs to learn from.
        tensorboard: write the log for TensorBoard too.
        ranks: this process's, of a torchrun whose ranks each learn from a part of every step; the first one writes.
        callback: called after each iteration.

    Returns:
        The model with its best weights in evaluation mode, their measures, and the log.

    Raises:
        UsageError: for values out of range. RgbdsodError: when the loss is not finite; the last checkpoint stays.
    """
    train_set, val_set = (source if isinstance(source, Dataset) else load_dataset(source) for source in (data, val))
    plan, total = check_training(
        model, len(train_set), recipe=recipe, lr=lr, batch=batch, iterations=iterations, epochs=epochs, dtype=dtype
    )
    if not 0 <= modality_dropout <= 1:
        raise UsageError(f"--modality-dropout {modality_dropout:g}: a share of the images, from 0 to 1")
    check_extras(adversarial is not None, consistency, init, ema)
    if ranks is not None and (alignment or consistency or modality_dropout):
        raise UsageError("alignment, consistency and modality dropout look at whole batches; train without torchrun")
    train_set, pair_weights = pair_filter(train_set, device) if pair_filter else (train_set, None)
    if alignment is not None:
        alignment.check(len(train_set), plan.batch)
    how = augmentation or Augmentation()
    network = _build(model, fusion, encoder, init, device, seed)
    network = network if size is None else network.at(size)
    if modality_dropout and len(network.inputs) == 1:
        raise UsageError(
            f"--modality-dropout takes one of two inputs away; {network.name} reads {network.inputs[0]} alone"
        )
    settings: dict[str, Any] = {
        "model": model,
        "fusion": fusion,
        "encoder": encoder,
        "data": train_set.name,
        "iterations": total,
        "seed": seed,
    }
    settings |= {} if size is None else {"size": size}  # so that trainings from before this setting continue
    settings |= {**asdict(plan), **asdict(how), "adversarial": repr(adversarial)}
    settings |= {"alignment": asdict(alignment) if alignment else None, "modality_dropout": modality_dropout or None}
    settings |= {"pair_filter": asdict(pair_filter) | {"kept": len(train_set)} if pair_filter else None}
    settings |= {"sources": _sources(adversarial), "ema": ema}
    settings |= {"consistency": asdict(consistency) | {"init": str(init)} if consistency else None}
    extras = Extras(adversarial, consistency, alignment, modality_dropout, pair_weights, ema)
    peers = None if ranks is None else Peers(ranks, plan.batch)
    run = Trainer(network, plan, total, Path(out), settings, dtype, extras, peers)
    run.start(resume, tensorboard)
    run.loop(train_set, val_set, how, workers, validate_every, callback)
    found = run.result()
    if peers is not None:
        peers.leave()
    return found


def check_training(
    model: str,
    images: int,
    *,
    recipe: str | None,
    lr: float | None,
    batch: int | None,
    iterations: int | None,
    epochs: float | None,
    dtype: str,
) -> tuple[Recipe, int]:
    """Check settings of a training without building or writing anything; arguments as for `train`.

    Args:
        images: how many the training set has.

    Returns:
        The recipe with its learning rate and batch, and the number of iterations.

    Raises:
        UsageError: for names and values that do not fit.
    """
    if dtype not in DTYPES:
        raise UsageError(f"--dtype {dtype}: train computes in {', '.join(DTYPES)}")
    training_loss(MODELS[model].architecture)  # raises where there is none
    plan = _recipe(recipe or default_recipe(model), lr, batch)
    return plan, _iterations(iterations, epochs, images, plan.batch)


def check_extras(
    attacked: bool, consistency: ConsistencySettings | None, init: str | Path | None, ema: float | None
) -> None:
    """Check what a training adds to clean images.

    Args:
        attacked: whether it attacks them.
        consistency: losses that compare attacked with clean inputs.
        init: weights to begin with.
        ema: share of the averaged weights that stays.

    Raises:
        UsageError: for values out of range, and losses that compare nothing.
    """
    if ema is not None and not 0 < ema < 1:
        raise UsageError(f"--ema {ema:g}: a share between 0 and 1, such as 0.995")
    if consistency is not None:
        consistency.check(attacked=attacked, begun=init is not None)


def default_recipe(model: str) -> str:
    """The recipe of a model's name: "small" for the small networks, the published one for a published network.

    Raises:
        UsageError: no such model.
    """
    row = MODELS[model]
    return row.architecture if row.asset is None and row.architecture in RECIPES else "small"


def _recipe(name: str, lr: float | None, batch: int | None) -> Recipe:
    if name not in RECIPES:
        raise UsageError(f'no recipe "{name}"; there are {", ".join(RECIPES.names())}')
    plan = RECIPES[name]
    if lr is not None and not 0 < lr < 1:
        raise UsageError(f"--lr {lr:g}: a learning rate lies between 0 and 1")
    if batch is not None and batch < 1:
        raise UsageError(f"--batch {batch}: at least 1 image")
    return replace(plan, lr=plan.lr if lr is None else lr, batch=batch or plan.batch)


def _build(
    name: str, fusion: str | None, encoder: str | None, init: str | Path | None, device: str, seed: int
) -> SaliencyModel:
    if init is not None:
        return load_model(name, weights=init, fusion=fusion, encoder=encoder, device=device)
    return build_model(name, fusion=fusion, encoder=encoder, seed=seed, device=device)


def _sources(adversarial: MapHardening | None) -> str | None:
    """What `repr` does not say, so that trainings from before there was a choice continue."""
    sources = getattr(adversarial, "sources", "joint")
    return None if sources == "joint" else str(sources)


def _iterations(iterations: int | None, epochs: float | None, count: int, batch: int) -> int:
    if iterations is not None and epochs is not None:
        raise UsageError("give --iterations or --epochs, not both")
    total = iterations if iterations is not None else round((10 if epochs is None else epochs) * count / batch)
    if total < 1:
        raise UsageError(f"{total} iterations: nothing to train; give --iterations of at least 1")
    return total
