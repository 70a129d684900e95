"""The endless, seeded stream of training batches: the same from any iteration on, whatever was interrupted before."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from rgbdsod.datasets import Augmentation, Dataset, Sample, augment, collate, resized


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of the samples in one epoch."""
    return np.random.default_rng((seed, epoch)).permutation(count)


@dataclass
class _Positions(TorchDataset[dict[str, Tensor]]):
    """Batch number -> batch; each position has random numbers of its own, so workers and resuming change nothing."""

    data: Dataset
    batch: int
    seed: int
    how: Augmentation
    size: tuple[int, int] | None

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        return collate([self._sample(number * self.batch + j) for j in range(self.batch)])

    def _sample(self, position: int) -> Sample:
        epoch, place = divmod(position, len(self.data))
        sample = self.data[int(_order(self.seed, epoch, len(self.data))[place])]
        sample = augment(sample, np.random.default_rng((self.seed, epoch, place)), self.how)
        return resized(sample, self.size) if self.size else sample


def _one_thread(worker: int) -> None:
    """Workers are the parallelism; threads inside them would only compete with the network."""
    del worker
    cv2.setNumThreads(0)


def batches(
    data: Dataset,
    numbers: range,
    *,
    batch: int,
    seed: int,
    how: Augmentation,
    size: tuple[int, int] | None,
    workers: int,
) -> Iterator[dict[str, Tensor]]:
    """Training batches by number, made ahead of use by worker processes."""
    source = _Positions(data, batch, seed, how, size)
    loader = DataLoader(
        source,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_one_thread,
    )
    return iter(loader)
