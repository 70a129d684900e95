"""`certify_maps`, `certify_detections`: what no patch of a stated size can change, over a set of images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rgbdsod.datasets import BoxedSet, Dataset
from rgbdsod.defenses import cover
from rgbdsod.errors import UsageError
from rgbdsod.models import Detector, SaliencyModel
from rgbdsod.models.detectors.user import check_detector, open_detector
from rgbdsod.models.device import resolve_device
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.modeling import device_of, get_data, get_model
from rgbdsod.run.patch_certify.boxes import BoxesTask
from rgbdsod.run.patch_certify.choice import THREATS, CertifyChoice, named, patch_of
from rgbdsod.run.patch_certify.maps import MapsTask
from rgbdsod.run.patch_certify.result import CertifyResult
from rgbdsod.run.patch_defense.boxed import BoxedImages, Size
from rgbdsod.run.patch_defense.evaluate import SIZES, open_boxed


def certify_maps(
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    sizes: str | Sequence[str] = ("0.5%", "1%"),
    aims: str | Sequence[str] = ("recovery", "detection"),
    layouts: str | Sequence[str] = "columns",
    modality: str | Sequence[str] = (),
    fill: str | None = None,
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> CertifyResult:
    """Certify the saliency maps of a set of images; no attack is run.

    Args:
        model: a name of `list_models()`, or a model.
        data: a name of `list_datasets()`, a folder, or a data set.
        sizes: of the largest patch, as shares of the image ("1%", a square) or in pixels ("13x13").
        aims: "recovery", "detection".
        layouts: of the masks, "columns", "grid".
        modality: what a patch may change, a certificate for each: "rgb", "depth", "both"; empty: all that there are.
        fill: what hidden pixels become; None: inpaint.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).

    Raises:
        UsageError: names and values that do not fit, or masks that cannot cover such a patch.

    Source: see `rgbdsod.defenses.certify`.
    """
    choice = CertifyChoice(
        sizes=named(sizes), aims=named(aims), layouts=named(layouts), threats=named(modality), fill=fill
    )
    task = maps_task(get_model(model), get_data(data), choice)
    return run_certify(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def certify_detections(
    detector: str | Detector = "fcos.tiny",
    data: BoxedSet | None = None,
    *,
    sizes: str | Sequence[str] = ("0.5%", "1%"),
    lines: int = 10,
    pruning: float = 0.6,
    fill: str | None = None,
    weights: str | Path | None = None,
    annotations: str | Path | None = None,
    images: str | Path | None = None,
    image_size: Size | None = None,
    n_samples: int | None = None,
    device: str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> CertifyResult:
    """Certify which objects a detector finds behind ObjectSeeker; no attack is run.

    Args:
        detector, data, weights, annotations, images, image_size, n_samples, device: see `evaluate_patches`.
        sizes: of the largest patch, as shares of the image ("1%", a square) or in pixels ("13x13").
        lines: each way; four copies for each.
        pruning: see `rgbdsod.defenses.seek`.
        fill: what hidden pixels become; None: grey.
        batch, out, restart, callback: see `certify_maps`.

    Raises:
        UsageError, DataError, WeightsError: see `evaluate_patches`.
    """
    where = resolve_device(device)
    made = open_detector(detector, weights=weights, device=where) if isinstance(detector, str) else detector
    task = boxes_task(
        made, data if data is not None else open_boxed(annotations, images, n_samples),
        CertifyChoice(sizes=named(sizes), lines=lines, pruning=pruning, fill=fill), image_size=image_size, device=where,
    )  # fmt: skip
    return run_certify(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def maps_task(
    model: SaliencyModel, data: Dataset, choice: CertifyChoice, *, given: Mapping[str, Any] | None = None
) -> MapsTask:
    """Everything checked, nothing started.

    Args:
        model, data, choice: what to do.
        given: how a command line named model and data; they are recorded so.
    """
    inputs = set(model.inputs)
    possible = tuple(threat for threat in THREATS if _has(inputs, threat))
    choice = replace(choice, threats=choice.threats or possible).checked()
    if wrong := [threat for threat in choice.threats if threat not in possible]:
        raise UsageError(f"--modality {wrong[0]}: {model.name} has inputs {', '.join(model.inputs)}")
    for image in sorted(set(data.sizes())):
        for size in choice.sizes:
            for aim in choice.aims:
                for layout in choice.layouts:
                    cover(image, patch_of(size, image), aim, layout)  # type: ignore[arg-type]  # checked above
    named_so = {"model": model.name, "data": data.name} if given is None else dict(given)
    return MapsTask(model, data, choice, named_so, list(data.warnings))


def boxes_task(
    detector: Detector,
    data: BoxedSet,
    choice: CertifyChoice,
    *,
    image_size: Size | None = None,
    device: torch.device | None = None,
    given: Mapping[str, Any] | None = None,
) -> BoxesTask:
    """Everything checked, nothing started.

    Args:
        detector, data, choice: what to do.
        image_size: see `evaluate_patches`.
        device: where the detector runs; None: the CPU.
        given: how a command line named detector and data; they are recorded so.
    """
    name = str(getattr(detector, "name", type(detector).__name__))
    check_detector(detector, name)
    images = BoxedImages(data, tuple(detector.classes), image_size or SIZES.get(name))
    choice = choice.checked()
    for image in sorted(set(images.sizes())):
        for size in choice.sizes:
            patch_of(size, image)
    named_so = {"detector": name, "data": data.name} if given is None else dict(given)
    where = torch.device("cpu") if device is None else device
    return BoxesTask(detector, images, choice, where, named_so, list(data.warnings))


def run_certify(
    task: MapsTask | BoxesTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> CertifyResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = device_of(task.model) if isinstance(task, MapsTask) else task.device
    return CertifyResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


def _has(inputs: set[str], threat: str) -> bool:
    """Whether a model has what a patch may change."""
    other = inputs - {"rgb"}
    return {"rgb": "rgb" in inputs, "depth": bool(other), "both": "rgb" in inputs and bool(other)}[threat]
