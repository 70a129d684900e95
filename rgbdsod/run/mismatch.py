"""A data set with a known share of wrong depth maps, to measure what finds them."""

from dataclasses import replace
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets import Dataset, Sample
from rgbdsod.datasets.sample import Map
from rgbdsod.errors import UsageError

Kind = Literal["swapped", "shifted", "noisy"]
KINDS: tuple[Kind, ...] = ("swapped", "shifted", "noisy")


class Mismatched(Dataset):
    """Another set in which some images have a depth map that is not theirs.

    Args:
        data: images of one size.
        share: of the images whose depth is wrong, in [0, 1].
        kinds: how: "swapped" is another image's, "shifted" moved by a quarter of the width, "noisy" mostly noise.
        seed: of the choice.

    Attributes:
        wrong: (N,) the kind of each image, "" where depth is right.

    Raises:
        UsageError: share is out of range, or there is one image only.
    """

    def __init__(self, data: Dataset, share: float, *, kinds: tuple[Kind, ...] = KINDS, seed: int = 0) -> None:
        if not 0 <= share <= 1 or len(data) < 2:
            raise UsageError(f"a share of {share:g} of {len(data)} images: from 0 to 1, of at least 2 images")
        super().__init__(f"{data.name}, {share:.0%} wrong depth", data.ids, convention=data.convention)
        self.data, self.share, self.seed = data, share, seed
        rng = np.random.default_rng((seed, 3))
        drawn = rng.permutation(len(data))[: round(share * len(data))]
        self.wrong: list[str] = [""] * len(data)
        for place, position in enumerate(drawn):
            self.wrong[position] = kinds[place % len(kinds)]

    def read(self, position: int) -> Sample:
        """The sample, with its right or wrong depth."""
        sample, kind = self.data[position], self.wrong[position]
        rng = np.random.default_rng((self.seed, 4, position))
        if kind == "swapped":
            other = (position + int(rng.integers(1, len(self)))) % len(self)
            return replace(sample, depth=self.data[other].depth)
        if kind == "shifted":
            return replace(sample, depth=np.roll(sample.depth, sample.depth.shape[1] // 4, axis=1))
        return replace(sample, depth=_noisy(sample.depth, rng)) if kind == "noisy" else sample

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of one sample."""
        return self.data.size(position)

    def digest(self, position: int) -> str:
        """That of the sample, with what is wrong about it."""
        return sha256(f"{self.data.digest(position)} {self.wrong[position]} {self.seed}".encode()).hexdigest()


def _noisy(depth: Map, rng: np.random.Generator) -> Map:
    noise: NDArray[np.float32] = rng.random(depth.shape, dtype=np.float32)
    return (0.2 * depth + 0.8 * noise).astype(np.float32)
