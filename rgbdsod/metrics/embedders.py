"""Numbers that stand for an image when sets of images are compared."""

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray
from rgbdsod.metrics.pictures import Pictures, pictures

WIDTHS = (32, 64, 96)
SEEDS = (0, 1, 2)
_CHUNK = 64
_SMALLEST = 8


class Embedder(Protocol):
    """What turns images into numbers."""

    @property
    def name(self) -> str:
        """What the distance is printed as, after "FD-"."""
        ...

    def __call__(self, images: Pictures) -> FloatArray:
        """The numbers (N,D), float64, of images (N,C,H,W) in [0, 1]."""
        ...


class RandomEmbedder:
    """Three convolutions with random weights, averaged over the image: no weights to fetch, the same everywhere.

    Each is 3x3 with He-normal weights, a ReLU and 2x2 average pooling; values enter as (x - 0.5) / 0.25; 96 numbers an
    image. Grey images count as colour ones of equal channels.

    Args:
        seed: of the weights.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._weights = []
        for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
            drawn = torch.randn(after, before, 3, 3, generator=generator)
            self._weights.append(drawn * (2 / (9 * before)) ** 0.5)

    @torch.no_grad()
    def __call__(self, images: Pictures) -> FloatArray:
        """The numbers (N,96), float64.

        Raises:
            UsageError: no such images.
        """
        found = torch.from_numpy(pictures(images, _SMALLEST)).float()
        return np.concatenate([self._embed(found[at : at + _CHUNK]) for at in range(0, len(found), _CHUNK)])

    def _embed(self, images: Tensor) -> FloatArray:
        features = (images.expand(-1, 3, -1, -1) - 0.5) / 0.25
        for weight in self._weights:
            features = F.avg_pool2d(F.conv2d(features, weight, padding=1).relu(), 2)
        values: FloatArray = features.mean((2, 3)).double().numpy()
        return values


def check_embedded(values: FloatArray, what: str) -> FloatArray:
    """Embeddings (N,D) of at least two images, float64.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    found = np.asarray(values, np.float64)
    if found.ndim != 2 or len(found) < 2 or found.shape[1] == 0:
        raise UsageError(f"{what} have the shape {found.shape}; pass (N,D) of at least two images")
    if not np.isfinite(found).all():
        raise UsageError(f"{what} hold values that are not finite; check the embedder")
    return found
