"""A look, at each validation, at whether a network has learned the one step of its training and nothing else."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from rgbdsod.datasets import Dataset, collate
from rgbdsod.defenses import FastTraining
from rgbdsod.defenses.training.fast import overfitted
from rgbdsod.models import SaliencyModel
from rgbdsod.run.validate import groups


def watch(
    how: FastTraining, model: SaliencyModel, data: Dataset, batch: int, history: Sequence[dict[str, Any]]
) -> tuple[dict[str, float], str | None]:
    """The losses of the first validation images, clean and attacked, and a warning where there is reason for one.

    Args:
        how: the training; model: in training, whose flags are put back.
        data: validation set.
        batch: images to look at, at most.
        history: the log so far.
    """
    samples = next(islice(groups(data, batch), 1))
    given = {name: value.to(model.device) for name, value in collate(samples).items()}
    inputs = {name: given[name] for name in model.inputs}
    values = how.watch(model, inputs, given["mask"], sample_ids=[sample.id for sample in samples])
    return values, overfitted(values, [event for event in history if event["event"] == "watch"])
