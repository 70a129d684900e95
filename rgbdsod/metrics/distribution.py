"""How far a set of images is from another: Frechet and kernel distances of embeddings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray
from rgbdsod.metrics.embedders import SEEDS, Embedder, RandomEmbedder, check_embedded
from rgbdsod.metrics.pictures import Pictures

RIDGE = 1e-6
ENOUGH = 2.5  # images per number of the embedding, below which covariances say little


@dataclass(frozen=True)
class DistributionDistance:
    """How far two sets of images are apart.

    Attributes:
        name: what the Frechet distance may be called: "FD-" and the embedder.
        frechet: the distance; the median over the embedder's seeds, where it has some.
        kernel: the unbiased kernel distance beside it, which can fall below 0; to be preferred below 1000 images.
        by_seed: (Frechet, kernel) by seed; empty for an embedder without seeds.
        count: images of each set.
        dimension: numbers of an embedding.
    """

    name: str
    frechet: float
    kernel: float
    by_seed: dict[int, tuple[float, float]]
    count: tuple[int, int]
    dimension: int

    @property
    def enough(self) -> bool:
        """Whether both sets have 2.5 images for each number of the embedding, as covariances need."""
        return min(self.count) >= ENOUGH * self.dimension


def distribution_distance(
    images: Pictures, reference: Pictures, embedder: Embedder | str = "random"
) -> DistributionDistance:
    """Compare two sets of images by their embeddings.

    A single patch is no distribution: pass its appearances under at least 256 drawn transformations, or a set of
    patches, and say which.

    Args:
        images: (N,C,H,W), float in [0, 1].
        reference: (M,C,h,w), likewise.
        embedder: "random" (three convolutions of seeds 0, 1 and 2, median), or any `Embedder`. The name FID belongs to
            the original Inception weights, whose file this package does not hold.

    Raises:
        UsageError: no such images, no such embedder, or one that calls itself FID.

    Example:
        >>> import numpy as np
        >>> from rgbdsod.metrics import distribution_distance
        >>> noise = np.random.default_rng(0).random((64, 3, 16, 16))
        >>> found = distribution_distance(noise, noise)
        >>> found.name, abs(round(found.frechet, 3)), found.enough
        ('FD-random', 0.0, False)
    """
    if isinstance(embedder, str):
        if embedder != "random":
            raise UsageError(f'no embedder "{embedder}"; pass "random", or an object that embeds images and has a name')
        found = {seed: _compare(images, reference, RandomEmbedder(seed)) for seed in SEEDS}
        values = {seed: (one.frechet, one.kernel) for seed, one in found.items()}
        frechet, kernel = np.median(list(values.values()), axis=0)
        first = found[SEEDS[0]]
        return DistributionDistance(first.name, float(frechet), float(kernel), values, first.count, first.dimension)
    if {"fid", "inception"} & set(embedder.name.lower().replace("-", " ").replace("_", " ").split()):
        raise UsageError(
            f'"{embedder.name}" would read as FID, which needs verified Inception weights; name it otherwise'
        )
    return _compare(images, reference, embedder)


def frechet_distance(features: FloatArray, reference: FloatArray) -> float:
    """Squared distance of the means, plus the trace of S1 + S2 - 2 (S1 S2)^(1/2) of the covariances.

    Args:
        features: embeddings (N,D) of at least two images.
        reference: (M,D), likewise.

    Raises:
        UsageError: other shapes, or values that are not finite.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500, equation 6; with 1e-6 on
        the diagonals.
    """
    one, two = _pair(features, reference)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) + RIDGE * np.eye(x.shape[1]) for x in (one, two))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # The product has the eigenvalues of this symmetric matrix, whose root needs no complex numbers.
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    apart = ((one.mean(0) - two.mean(0)) ** 2).sum()
    return float(apart + np.trace(first) + np.trace(second) - 2 * shared)


def kernel_distance(features: FloatArray, reference: FloatArray) -> float:
    """Squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, unbiased: it can fall below 0.

    Args:
        features: embeddings (N,D) of at least two images.
        reference: (M,D), likewise.

    Raises:
        UsageError: other shapes, or values that are not finite.

    Source: Binkowski et al., "Demystifying MMD GANs", arXiv 1801.01401, section 4.
    """
    one, two = _pair(features, reference)
    return float(_between(one) + _between(two) - 2 * _kernel(one, two).mean())


def _compare(images: Pictures, reference: Pictures, embedder: Embedder) -> DistributionDistance:
    one, two = embedder(images), embedder(reference)
    return DistributionDistance(
        f"FD-{embedder.name}",
        frechet_distance(one, two),
        kernel_distance(one, two),
        {},
        (len(one), len(two)),
        one.shape[1],
    )


def _pair(features: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    one, two = check_embedded(features, "embeddings"), check_embedded(reference, "reference embeddings")
    if one.shape[1] != two.shape[1]:
        raise UsageError(f"embeddings of {one.shape[1]} and {two.shape[1]} numbers; embed both sets alike")
    return one, two


def _kernel(one: FloatArray, two: FloatArray) -> FloatArray:
    values: NDArray[np.float64] = (one @ two.T / one.shape[1] + 1) ** 3
    return values


def _between(one: FloatArray) -> float:
    """The mean kernel value of two different images of a set."""
    values = _kernel(one, one)
    return float((values.sum() - np.trace(values)) / (len(one) * (len(one) - 1)))
