"""`rgbdsod.run.generator`: train a generator of perturbations, or of images, on a data set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rgbdsod import __version__
from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.generative.latent import SIDE, LatentGenerator
from rgbdsod.attacks.generative.perturbation import PerturbationGenerator
from rgbdsod.attacks.generative.training import train_generator
from rgbdsod.attacks.generative.wgan import train_latent
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.table import MAP_OBJECTIVES
from rgbdsod.datasets import Augmentation, Dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.modeling import device_of, get_data, get_model, model_record
from rgbdsod.run.stream import batches
from rgbdsod.run.survey import check_images
from rgbdsod.run.threats import Eps, all_radii, attacked_inputs
from rgbdsod.types import Callback, Inputs

KINDS = ("gap", "advgan", "natural")
"""Two kinds of perturbation generator, and one of images."""

DEFAULT_EPS = 16 / 255
"""The largest radius that a perturbation generator serves."""


def make_generator(
    kind: str,
    model: str | SaliencyModel = "bbsnet",
    data: str | Path | Dataset = "scenes:256",
    *,
    modality: str | None = None,
    eps: Eps | None = None,
    objective: str = "bce",
    universal: bool = False,
    steps: int = 500,
    batch: int = 8,
    seed: int = 0,
    callback: Callback | None = None,
) -> PerturbationGenerator | LatentGenerator:
    """Train a generator; save it with `.save(file)`.

    Args:
        kind: "gap" or "advgan", which draw perturbations against a frozen model, or "natural", which draws images.
        model: what a perturbation is to harm: a name of `list_models()`, or a model from `load_model` or `wrap`; it
            also says on which device to train. "natural" asks nothing else of it.
        data: a name of `list_datasets()`, a folder, or a data set, with masks; measure on another one.
        modality: the input that may be changed, or "both"; None: those that `eps` names, else all. One generator
            trained for both also serves each alone.
        eps: the largest Linf radius, for all inputs or by input; None: 16/255.
        objective: what is raised, a name of `MAP_OBJECTIVES`.
        universal: one perturbation for all images.
        steps: of training; batch: images in each.
        seed: of first weights, order and augmentation.
        callback: called with (steps done, steps in all).

    Raises:
        UsageError: for names and values that do not fit. DataError: for images that cannot be read, or lack masks.
    """
    check_generator(kind, objective, steps, batch, natural=(modality, eps, universal or None))
    network, images = get_model(model), get_data(data)
    if kind != "natural":
        check_images(images)
    size = (SIDE, SIDE) if kind == "natural" else network.size or images.sizes()[0]
    stream = batches(images, range(steps), batch=batch, seed=seed, how=Augmentation(), size=size, workers=0)
    origin = {"data": images.name, "images": len(images), "steps": steps, "batch": batch, "seed": seed}
    origin |= {"version": __version__}
    if kind == "natural":
        drawing = train_latent(_inputs(stream, network), steps=steps, seed=seed, callback=callback)
        drawing.scope = replace(drawing.scope, origin=origin)
        return drawing
    threat = largest_threat(network.inputs, network.name, modality, eps)
    made = train_generator(
        _problems(stream, network, objective), threat, kind=kind,  # type: ignore[arg-type]  # checked above
        universal=universal, steps=steps, seed=seed, callback=callback,
    )  # fmt: skip
    target = {"model": network.name, "weights": model_record(network)["sha256"], "objective": objective}
    made.scope = replace(made.scope, origin={**target, **origin})
    return made


def check_generator(kind: str, objective: str, steps: int, batch: int, natural: tuple[Any, ...]) -> None:
    """Refuse settings that cannot be meant, before model and images are read.

    Args:
        kind, objective, steps, batch: as in `make_generator`.
        natural: the settings that "natural" does not take; None where not given.

    Raises:
        UsageError: naming what does not fit.
    """
    if kind not in KINDS:
        raise UsageError(f'no kind "{kind}" of generator; kinds are {", ".join(KINDS)}')
    MAP_OBJECTIVES[objective]  # raises with a hint
    check_counts(steps=steps, batch=batch)
    if kind == "natural" and any(value is not None for value in natural):
        raise UsageError("a natural generator draws images and no perturbations: it takes no modality, eps, universal")


def largest_threat(inputs: tuple[str, ...], model: str, modality: str | None, eps: Eps | None) -> dict[str, Budget]:
    """The largest budget for each input that a perturbation generator may change.

    Raises:
        UsageError: an unknown input, a radius that cannot be meant, or several.
    """
    given = DEFAULT_EPS if eps is None else eps
    radii = all_radii(attacked_inputs(modality, inputs, model, given), given, "linf")
    if len(radii) > 1:
        raise UsageError(f"{len(radii)} radii; a generator serves all up to the largest, so give that one")
    return {name: Budget(eps=radius) for name, radius in radii[0].items()}


def _inputs(stream: Iterator[dict[str, Tensor]], model: SaliencyModel) -> Iterator[Inputs]:
    device = device_of(model)
    for samples in stream:
        yield {name: samples[name].to(device) for name in model.inputs}


def _problems(
    stream: Iterator[dict[str, Tensor]], model: SaliencyModel, objective: str
) -> Iterator[tuple[Problem, Inputs]]:
    device = device_of(model)
    for samples in stream:
        problem = MapProblem(model, samples["mask"].to(device), objective=objective)
        yield problem, {name: samples[name].to(device) for name in model.inputs}
