"""Spectra of pictures, and distances of their appearances from crops of photographs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rgbdsod.attacks.patch.natural.bank import cut_crops
from rgbdsod.attacks.patch.natural.nature import SEEN, appear
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.attacks.randomness import stream
from rgbdsod.metrics import DistributionDistance, Embedder, distribution_distance, frechet_distance, kernel_distance
from rgbdsod.metrics.spectrum import spectrum
from rgbdsod.run.patch_stats.quality import NOISE

RADIUS = 0.25
"""In cycles per pixel: frequencies above it are high."""

_SMALLEST = 8
BASELINES = ("crops", "noisy crops", "eight crops", "smooth", "noise")
"""What every run measures beside its patches, for scale."""


class Nearby(NamedTuple):
    """What patches are compared with.

    Args:
        reference: appearances of crops (N,3,h,w).
        others: other crops (N,3,h,w), as they are.
        embedder: "random", or what embeds.
        seed: of draws.
        transforms: under which all are seen, a name of `TRANSFORMS`; of these what happens to colours.
    """

    reference: Tensor
    others: Tensor
    embedder: Embedder | str
    seed: int
    transforms: str = SEEN

    @classmethod
    def of(
        cls, photographs: Sequence[Tensor], side: int, count: int, embedder: Embedder | str, seed: int,
        transforms: str = SEEN,
    ) -> "Nearby":  # fmt: skip
        """Crops of photographs, half of them the reference.

        Args:
            photographs: (3,H,W) in [0, 1].
            side: of a crop.
            count: of appearances.
            embedder, seed, transforms: see above.
        """
        crops = cut_crops(photographs, (side, side), 2 * count, seed)
        crops = crops[torch.randperm(len(crops), generator=stream(seed, "patch", "stats", "halves"))]
        reference = appear(crops[:count], TRANSFORMS[transforms], seed + 1)
        return cls(reference, crops[count:], embedder, seed, transforms)

    def distance(self, pictures: Tensor) -> dict[str, Any]:
        """How far pictures (N,3,h,w) are, each seen as often as it takes to have as many appearances as crops."""
        looks = -(-len(self.reference) // len(pictures))
        shown = appear(pictures.repeat(looks, 1, 1, 1), TRANSFORMS[self.transforms], self.seed)
        found = compare(shown, self.reference, self.embedder)
        return {
            "name": found.name, "frechet": found.frechet, "kernel": found.kernel, "appearances": found.count[0],
            "dimension": found.dimension, "enough": found.enough,
            "by_seed": {str(seed): list(values) for seed, values in found.by_seed.items()},
        }  # fmt: skip

    def baseline(self, name: str) -> Tensor:
        """Pictures that are no patches: one of `BASELINES`."""
        others, count = self.others, len(self.others)
        generator = stream(self.seed, "patch", "stats", name)
        if name == "crops":
            return others
        if name == "noisy crops":
            return (others + NOISE * torch.randn(others.shape, generator=generator)).clamp(0, 1)
        if name == "eight crops":
            return others[:8].repeat(-(-count // 8), 1, 1, 1)[:count]
        if name == "noise":
            return torch.rand(others.shape, generator=generator)
        coarse = torch.rand(count, 3, 5, 5, generator=generator)
        return torch.nn.functional.interpolate(coarse, others.shape[-2:], mode="bilinear")


def compare(pictures: Tensor, reference: Tensor, embedder: Embedder | str) -> DistributionDistance:
    """Two sets by their embeddings; with the verified Inception the Frechet distance is called FID."""
    if isinstance(embedder, str) or embedder.name != "inception":
        return distribution_distance(pictures, reference, embedder)
    one, two = embedder(pictures), embedder(reference)
    count = (len(one), len(two))
    return DistributionDistance("FID", frechet_distance(one, two), kernel_distance(one, two), {}, count, one.shape[1])


def spectra(pictures: Sequence[Tensor]) -> dict[str, Any] | None:
    """Share of high frequencies (mean, 5 % and 95 %), slope and radial profile of pictures (3,h,w); means over them.

    Returns:
        None where no picture has 8 pixels each way.
    """
    fit = [own for own in pictures if min(own.shape[-2:]) >= _SMALLEST]
    if not fit:
        return None
    found = [spectrum(own[None].clamp(0, 1), RADIUS) for own in fit]
    high = np.array([float(own["hf"][0]) for own in found])
    sizes = sorted((own.shape[-2], own.shape[-1]) for own in fit)
    return {
        "hf": float(high.mean()),
        "hf_low": float(np.quantile(high, 0.05)),
        "hf_high": float(np.quantile(high, 0.95)),
        "slope": float(np.mean([own["slope"][0] for own in found])),
        "profile": np.mean([own["profile"][0] for own in found], 0).tolist(),
        "size": list(sizes[len(sizes) // 2]),
        "pictures": len(fit),
    }
