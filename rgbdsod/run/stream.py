"""The endless, seeded stream of training batches: the same from any iteration on, whatever was interrupted before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args
from zlib import crc32

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from rgbdsod.datasets import Augmentation, Dataset, Sample, augment, collate, resized
from rgbdsod.datasets.scenes import Kind
from rgbdsod.run.share import Share


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
    share: Share | None = None

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        indices, samples = zip(*(self._sample(number * self.batch + j) for j in self._places), strict=True)
        names = {
            "index": indices,
            "id": [_number(sample.id) for sample in samples],
            "group": [_group(sample) for sample in samples],
        }
        return collate(samples) | {name: torch.tensor(values) for name, values in names.items()}

    @property
    def _places(self) -> Sequence[int]:
        """In the batch, of the images that are made."""
        return range(self.batch) if self.share is None else self.share.of(range(self.batch))

    def _sample(self, position: int) -> tuple[int, Sample]:
        epoch, place = divmod(position, len(self.data))
        index = int(_order(self.seed, epoch, len(self.data))[place])
        sample = augment(self.data[index], np.random.default_rng((self.seed, epoch, place)), self.how)
        return index, resized(sample, self.size) if self.size else sample


def _number(text: str) -> int:
    """A name as a number, the same in every process and run."""
    return crc32(text.encode())


def _group(sample: Sample) -> int:
    """The film that a sample is a frame of, as a number; -1 for none. Generated scenes only have a kind in common."""
    return -1 if sample.group is None or sample.group in get_args(Kind) else _number(sample.group)


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
    share: Share | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Training batches by number, made ahead of use by worker processes; with a share only that part of each.

    Returns:
        What `collate` gives, with (B,) integers: "index" of each image in `data`, its "id", and its "group" or -1.
    """
    source = _Positions(data, batch, seed, how, size, share)
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
