"""The pictures that a universal patch is fitted on, in batches of one size, and that others do not show them."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch

from rgbdsod.attacks import MapProblem
from rgbdsod.attacks.randomness import stream
from rgbdsod.attacks.universal.fitting import Batch
from rgbdsod.datasets import Dataset
from rgbdsod.errors import DataError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.modeling import device_of, inputs_of
from rgbdsod.run.pieces import cut


class FitBatches(Sequence[Batch]):
    """Batches of one size, mixed once, read when they are asked for.

    Args:
        model: attacked.
        data: the pictures.
        batch: images at once.
        seed: of the order.
    """

    def __init__(self, model: SaliencyModel, data: Dataset, batch: int, seed: int) -> None:
        self._model, self._data = model, shuffled(data, seed)
        self._parts = cut(self._data.sizes(), batch)

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, at: Any) -> Any:
        samples = [self._data[index] for index in self._parts[at]]
        batch = inputs_of(samples, self._model.inputs, device_of(self._model))
        inputs = {name: batch[name] for name in self._model.inputs}
        return Batch(MapProblem(self._model, batch["mask"]), inputs, {})


def shuffled(data: Dataset, seed: int) -> Dataset:
    """The same pictures in an order that the seed decides."""
    order = torch.randperm(len(data), generator=stream(seed, "patch", "split")).tolist()
    return data.select(ids=[data.ids[at] for at in order])


def halves(data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Pictures to fit on, and others to test on, each in the set's own order.

    Raises:
        DataError: there is only one.
    """
    if len(data) < 2:
        raise DataError(f"{data.name} holds one picture; a universal patch is tested on others, so pass --fit-data")
    first = set(shuffled(data, seed).ids[: len(data) // 2])
    return (
        data.select(ids=[name for name in data.ids if name in first]),
        data.select(ids=[name for name in data.ids if name not in first]),
    )


def refuse_shared(fit: Dataset, test: Dataset) -> None:
    """Photographs that are in both sets, found by their pixels.

    Raises:
        DataError: there are some.
    """
    known = {_photograph(fit, place) for place in range(len(fit))}
    shared = [name for place, name in enumerate(test.ids) if _photograph(test, place) in known]
    if shared:
        raise DataError(
            f"{len(shared)} of {len(test)} photographs of {test.name} are among those that the patch is fitted on "
            f"({', '.join(shared[:3])}); pass other images as --fit-data"
        )


def _photograph(data: Dataset, place: int) -> str:
    return hashlib.sha256(data[place].rgb.tobytes()).hexdigest()
