"""Quick measures of a network on a data set, and how much it depends on each input."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from rgbdsod.datasets import Dataset, Sample, collate
from rgbdsod.metrics import saliency
from rgbdsod.models import SaliencyModel

SHOWN = ("mae", "sm", "em_max", "fm_max", "iou_bin")


def validate(model: SaliencyModel, data: Dataset, *, batch: int = 16) -> dict[str, float]:
    """Means over the images of MAE, S, max E, max F and IoU (benchmark protocol); each module's mode is put back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        rows = [_measure(model, samples, collate(samples)) for samples in groups(data, batch)]
    finally:
        for module, mode in modes:
            module.training = mode
    return {name: float(np.concatenate([row[name] for row in rows]).mean()) for name in SHOWN}


def dependence(model: SaliencyModel, data: Dataset, *, batch: int = 16) -> dict[str, dict[str, float]]:
    """Measures with all inputs right, and with one input taken from another image.

    Args:
        model: in evaluation mode.
        data: images of one size; each gets the input of the image half a set further on.

    Returns:
        {"clean": measures, "rgb swapped": measures, "depth swapped": measures} as `validate` names them.
    """
    samples = list(data)
    others = samples[len(samples) // 2 :] + samples[: len(samples) // 2]
    result = {"clean": _all(model, samples, {}, batch)}
    for name in model.inputs:
        result[f"{name} swapped"] = _all(model, samples, {name: others}, batch)
    return result


def _all(model: SaliencyModel, samples: list[Sample], swapped: dict[str, list[Sample]], batch: int) -> dict[str, float]:
    rows = []
    for start in range(0, len(samples), batch):
        part = slice(start, start + batch)
        inputs = collate(samples[part])
        inputs |= {name: collate(source[part])[name] for name, source in swapped.items()}
        rows.append(_measure(model, samples[part], inputs))
    return {name: float(np.concatenate([row[name] for row in rows]).mean()) for name in SHOWN}


def groups(data: Dataset, batch: int) -> Iterator[list[Sample]]:
    """Consecutive samples of one size, at most `batch` of them."""
    group: list[Sample] = []
    for sample in data:
        if group and (len(group) == batch or sample.rgb.shape != group[0].rgb.shape):
            yield group
            group = []
        group.append(sample)
    if group:
        yield group


def _measure(model: SaliencyModel, samples: list[Sample], inputs: dict[str, Tensor]) -> dict[str, np.ndarray]:
    device = next(model.parameters()).device
    with torch.inference_mode():
        maps = model.predict(size=None, **{name: inputs[name].to(device) for name in model.inputs})
    masks = [sample.mask for sample in samples if sample.mask is not None]
    return saliency(list(maps.cpu().numpy()), masks, wfm=False)
