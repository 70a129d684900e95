"""A case of the world of saliency networks: `rgbdsod.attack`, whatever it is asked for."""

from pathlib import Path

import numpy as np

from rgbdsod.datasets import Dataset
from rgbdsod.models import SaliencyModel, load_model
from rgbdsod.run.attack import attack
from rgbdsod.run.benchmark.line import MEASURES, Line
from rgbdsod.run.benchmark.suites import Case
from rgbdsod.run.execute import ImageCallback
from rgbdsod.run.modeling import get_data


def saliency_lines(
    case: Case,
    *,
    model: SaliencyModel | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    out: Path | None = None,
    callback: ImageCallback | None = None,
) -> list[Line]:
    """Measure a case, one line for each radius.

    Args:
        case: what to do.
        model: the case's, already loaded; None: it is loaded.
        seed: of random starts.
        device: where a model that is not loaded yet goes.
        batch: images at once; None chooses.
        out: the folder of its run; None writes nothing.
        callback: called with (images done, images in all).

    Raises:
        UsageError: unknown model or data, or a model without the attacked input. DataError: images that cannot be read.
    """
    network = load_model(case.model, device=device) if model is None else model
    name, parameters = case.member
    result = attack(
        network, spread(get_data(case.data), case.images), name, modality=case.modality, eps=case.eps, seed=seed,
        prepared=True, batch=batch, out=out, save_images="none", callback=callback, **parameters,
    )  # fmt: skip
    count = len(case.eps)
    measure = MEASURES[case.world]
    lines = []
    for turn, eps in enumerate(case.eps):
        rows = result.samples[turn::count]
        clean, attacked = (
            np.array([row[key] for row in rows], float) for key in (f"clean_{measure}", f"attacked_{measure}")
        )
        failed, fails = (np.array([row[key] for row in rows], bool) for key in ("fooled_before", "fooled"))
        lines.append(Line.of(case, network.name, eps, clean=clean, attacked=attacked, failed=failed, fails=fails))
    return lines


def spread(data: Dataset, count: int | None) -> Dataset:
    """Some images of a data set, at even distances from its first to its last, so that every kind is among them.

    Args:
        data: all of them.
        count: how many; None, or more than there are: all.
    """
    if count is None or count >= len(data):
        return data
    return data.select(ids=[data.ids[len(data) * place // count] for place in range(count)])
