"""`rgbdsod.run.universal`: fit one noise for all images of a data set."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbdsod import __version__
from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.attacks.randomness import stream
from rgbdsod.attacks.table import MAP_OBJECTIVES
from rgbdsod.attacks.universal.fitting import Batch
from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.attacks.universal.sgd_uap import sgd_uap
from rgbdsod.attacks.universal.uap import uap
from rgbdsod.datasets import Dataset
from rgbdsod.errors import DeviceError, UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.memory import default_batch, is_out_of_memory
from rgbdsod.run.modeling import check_dtype, device_of, get_data, get_model, inputs_of, model_record
from rgbdsod.run.pieces import cut
from rgbdsod.run.survey import check_images
from rgbdsod.run.threats import Eps, all_radii, attacked_inputs
from rgbdsod.types import Callback

METHODS: Mapping[str, Callable[..., Universal]] = {"sgd": sgd_uap, "deepfool": uap}
"""How a noise may be fitted."""

_SHARED = ("batches", "threat", "fit")


def fit_universal(
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    method: str = "sgd",
    modality: str | None = None,
    eps: Eps | None = None,
    norm: str = "linf",
    objective: str = "bce",
    success: str | None = None,
    size: tuple[int, int] | None = None,
    sizing: str = "resize",
    holes: str = "keep",
    seed: int = 0,
    dtype: str = "float32",
    batch: int | None = None,
    callback: Callback | None = None,
    **parameters: Any,
) -> Universal:
    """Fit one noise that harms a model on every image of a data set.

    Args:
        model: a name of `list_models()`, or a model from `load_model` or `wrap`.
        data: a name of `list_datasets()`, a folder, or a data set; measure the noise on another one.
        method: "sgd" (gradient steps on batches) or "deepfool" (the smallest step for each image not yet fooled).
        modality: the input to attack, or "both"; None: those that `eps` names, else all.
        eps: radius in units of the [0, 1] input; one for all attacked inputs, or one by input.
        norm: "linf" or "l2".
        objective: what "sgd" raises.
        success: when an image counts as fooled, such as "iou<0.5".
        size: (H, W) of the noise; None: the images', or the model's where they differ.
        sizing: what becomes of it on images of another size: "resize", "tile" or "fixed".
        holes: "keep" leaves depth alone where nothing was measured, "free" does not.
        seed: of the order of the images.
        dtype: what the network computes in.
        batch: images at once.
        callback: called with (batches done, batches in all).
        parameters: the method's own, such as `epochs`, `step_size`.

    Returns:
        The noise, with `.apply(inputs)` and `.save(file)`; `.facts` say where it comes from.

    Raises:
        UsageError: for names and values that do not fit. DataError: for images that cannot be read.
        DeviceError: when a batch does not fit into memory.
    """
    check_fit(method, parameters, objective=objective, holes=holes, dtype=dtype)
    network, images = get_model(model), get_data(data)
    threat = one_threat(network.inputs, network.name, modality, eps, norm)
    images = check_images(images)
    batches = _Batches(network, images, objective, success, holes, batch or default_batch(device_of(network)), seed)
    try:
        found = METHODS[method](
            batches, threat, size=size or _common_size(images, network), sizing=sizing, seed=seed, callback=callback,
            precision=dtype, **parameters,
        )  # fmt: skip
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(f"out of memory at batch {batches.batch}; pass a smaller --batch") from error
    weights = model_record(network)
    return found.about(
        method=method, objective=objective, success=batches.success, holes=holes, model=network.name,
        weights=weights["sha256"], data=images.name, images=len(images), fingerprint=images.fingerprint,
        version=__version__,
    )  # fmt: skip


def check_fit(method: str, parameters: Mapping[str, Any], *, objective: str, holes: str, dtype: str) -> None:
    """Refuse settings that cannot be meant, before model and images are read.

    Raises:
        UsageError: naming what does not fit, and what does.
    """
    if method not in METHODS:
        raise UsageError(f'no method "{method}"; methods are {", ".join(METHODS)}')
    takes = [name for name in inspect.signature(METHODS[method]).parameters if name not in _SHARED]
    for name in parameters:
        if name not in takes:
            flags = " ".join(f"--{own.replace('_', '-')}" for own in takes)
            raise UsageError(f'method "{method}" takes no --{name.replace("_", "-")} (it takes {flags})')
    MAP_OBJECTIVES[objective]  # raises with a hint
    if holes not in ("keep", "free"):
        raise UsageError(f'--holes "{holes}": expected keep or free')
    check_dtype(dtype)


def one_threat(
    inputs: Sequence[str], model: str, modality: str | None, eps: Eps | None, norm: str
) -> dict[str, Budget]:
    """One budget for each attacked input.

    Raises:
        UsageError: an unknown input, a radius that cannot be meant, or several.
    """
    radii = all_radii(attacked_inputs(modality, inputs, model, eps), eps, norm)
    if len(radii) > 1:
        raise UsageError(f"{len(radii)} radii; a noise is fitted within one, so give one and repeat the command")
    return {name: Budget(norm, radius) for name, radius in radii[0].items()}


class _Batches(Sequence[Batch]):
    """The images in batches of one size, mixed once, read when they are asked for."""

    def __init__(
        self,
        model: SaliencyModel,
        data: Dataset,
        objective: str,
        success: str | None,
        holes: str,
        batch: int,
        seed: int,
    ) -> None:
        order = torch.randperm(len(data), generator=stream(seed, "universal")).tolist()
        self._data = data.select(ids=[data.ids[at] for at in order])
        self._model, self._objective, self._holes = model, objective, holes
        self._parts = cut(self._data.sizes(), batch)
        self.batch, self.success = batch, success or "iou<0.5"

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, at: Any) -> Any:
        samples = [self._data[index] for index in self._parts[at]]
        batch = inputs_of(samples, self._model.inputs, device_of(self._model))
        problem = MapProblem(self._model, batch["mask"], objective=self._objective, success=self.success)
        inputs = {name: batch[name] for name in self._model.inputs}
        return Batch(problem, inputs, hole_masks(batch["valid"], self._holes))


def hole_masks(valid: Tensor, holes: str) -> dict[str, Tensor]:
    """Where depth may change: where something was measured, or everywhere."""
    return {"depth": valid.float()} if holes == "keep" and not bool(valid.all()) else {}


def _common_size(data: Dataset, model: SaliencyModel) -> tuple[int, int]:
    """The size of all images, or the model's where they differ, or the first image's."""
    sizes = data.sizes()
    return sizes[0] if len(set(sizes)) == 1 or model.size is None else model.size
