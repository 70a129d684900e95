"""Networks and images of a benchmark's cells, each opened once while cells that follow one another share it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from rgbdsod.datasets import Dataset
from rgbdsod.models import SaliencyModel, load_model
from rgbdsod.run.attack_settings import own_parameters
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.contender import SALIENCY, ZERO_SHOT
from rgbdsod.run.benchmark.saliency import saliency_task, spread
from rgbdsod.run.benchmark.zero_shot import zero_shot_task
from rgbdsod.run.clip.images import ImageSets, open_sets
from rgbdsod.run.clip.opening import DualEncoder, open_dual_encoder
from rgbdsod.run.execute import Task
from rgbdsod.run.modeling import device_of, get_data, get_model

T = TypeVar("T")


@dataclass
class Opener:
    """Turns cells into tasks.

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
    """

    device: str = "auto"
    _network: tuple[Any, Any] = (None, None)
    _data: dict[Any, Any] = field(default_factory=dict)

    def task(self, cell: Cell) -> tuple[Task, torch.device]:
        """What measures a cell, and where it computes.

        Raises:
            UsageError: unknown names, or an attack that does not fit the network. DataError, WeightsError: files that
                are missing or cannot be read.
        """
        if cell.contender.world == SALIENCY:
            data = self.saliency_data(cell)
            model = self._kept(cell, _saliency_network)
            return saliency_task(cell, model, data), device_of(model)
        images = self.labelled_images(cell)
        encoder = self._kept(cell, _dual_encoder)
        return zero_shot_task(cell, encoder, images), encoder.model.device

    def check(self, cell: Cell) -> None:
        """Find what is wrong with a cell without loading its network.

        Raises:
            UsageError, DataError, WeightsError: see `task`.
        """
        cell.contender.file(cell.seed)
        own_parameters(cell.assault.method, dict(cell.assault.parameters))
        self.images(cell)

    def images(self, cell: Cell) -> Dataset | ImageSets:
        """The images of a cell, whichever world it is of.

        Raises:
            UsageError, DataError: see `task`.
        """
        return self.saliency_data(cell) if cell.contender.world == SALIENCY else self.labelled_images(cell)

    def saliency_data(self, cell: Cell) -> Dataset:
        """The images of a cell with a saliency network."""
        whole: Dataset = self._once((cell.data,), lambda: get_data(cell.data))
        found: Dataset = self._once((cell.data, cell.images), lambda: spread(whole, cell.images))
        return found

    def labelled_images(self, cell: Cell) -> ImageSets:
        """The labelled images of a cell with a classifier, the same for every seed."""
        names = cell.data.split(",")
        found: ImageSets = self._once((ZERO_SHOT, cell.data, cell.images), lambda: open_sets(names, count=cell.images))
        return found

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._data:
            self._data[key] = make()
        return self._data[key]

    def _kept(self, cell: Cell, load: Callable[[Cell, str], T]) -> T:
        wanted = cell.contender, cell.contender.file(cell.seed)
        if self._network[0] != wanted:
            self._network = (None, None)  # two networks may not fit into memory
            self._network = wanted, load(cell, self.device)
        found: T = self._network[1]
        return found


def _saliency_network(cell: Cell, device: str) -> SaliencyModel:
    own = cell.contender
    model = get_model(load_model(own.model, own.file(cell.seed), own.fusion, device=device), hha=True)
    return model if own.size is None else model.at(own.size)


def _dual_encoder(cell: Cell, device: str) -> DualEncoder:
    return open_dual_encoder(cell.contender.model, cell.contender.file(cell.seed), device=device)
