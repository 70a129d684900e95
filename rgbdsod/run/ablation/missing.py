"""A data set of which one input says nothing."""

from dataclasses import replace
from hashlib import sha256
from typing import Literal

import numpy as np

from rgbdsod.datasets import Dataset, Sample


class Missing(Dataset):
    """Another set in which one input of every image is replaced by its own mean, as when a sensor fails.

    Args:
        data: the images.
        modality: the input that is lost; of RGB each channel has a mean of its own.
    """

    def __init__(self, data: Dataset, modality: Literal["rgb", "depth"]) -> None:
        super().__init__(f"{data.name} without {modality}", data.ids, convention=data.convention)
        self.data, self.modality = data, modality

    def read(self, position: int) -> Sample:
        """The sample without that input."""
        sample = self.data[position]
        if self.modality == "depth":
            return replace(sample, depth=np.full_like(sample.depth, sample.depth.mean()))
        mean = sample.rgb.mean((0, 1)).round().astype(sample.rgb.dtype)
        return replace(sample, rgb=np.broadcast_to(mean, sample.rgb.shape).copy())

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of one sample."""
        return self.data.size(position)

    def digest(self, position: int) -> str:
        """That of the sample, with what is lost."""
        return sha256(f"{self.data.digest(position)} without {self.modality}".encode()).hexdigest()
