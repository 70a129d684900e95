"""What two layers of a victim compute for clean images, and how far another image is from it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOWS = (1, 3, 5, 7)
QUANTILES = ((0.995, 0.5), (0.98, 0.8), (0.95, 0.95))
"""Pairs of clean quantiles, of the deep map and of the shallow one; a pixel has to exceed both of any pair."""

_TINY = 1e-6


@dataclass(frozen=True)
class Moments:
    """Of a layer's channels on clean images: means and deviations (C,1,1)."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """Over the images and positions of (N,C,h,w)."""
        mean = features.mean((0, 2, 3))[:, None, None]
        return cls(mean, features.std((0, 2, 3), unbiased=False)[:, None, None])

    def activation(self, features: Tensor) -> Tensor:
        """How far the channels are above their clean means, (B,1,h,w): rectified z-scores, their mean, pooled.

        Pooling takes the mean over windows of four sizes, and then the mean of these.
        """
        score = ((features - self.mean) / self.deviation.clamp_min(_TINY)).relu().mean(1, keepdim=True)
        pooled = [F.avg_pool2d(score, side, 1, side // 2, count_include_pad=False) for side in WINDOWS]
        return torch.stack(pooled).mean(0)


@dataclass(frozen=True)
class CleanLayers:
    """Two layers of the encoder of one input, and their clean values.

    Args:
        layers: module names, the shallow one first.
        moments: of each.
        limits: for each pair of `QUANTILES`, the activations of the shallow layer and of the deep one there.
    """

    layers: tuple[str, str]
    moments: tuple[Moments, Moments]
    limits: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, layers: tuple[str, str], features: tuple[Tensor, Tensor]) -> "CleanLayers":
        """From the features (N,C,h,w) of clean images."""
        shallow, deep = (Moments.of(one) for one in features)
        values = [moments.activation(one).flatten() for moments, one in zip((shallow, deep), features, strict=True)]
        limits = tuple((_quantile(values[0], low), _quantile(values[1], high)) for high, low in QUANTILES)
        return cls(layers, (shallow, deep), limits)

    def evidence(self, features: tuple[Tensor, Tensor], size: tuple[int, int]) -> Tensor:
        """The largest share of a pair's limits that both layers reach, (B,1,H,W)."""
        pairs = zip(self.moments, features, strict=True)
        shallow, deep = (F.interpolate(one.activation(of), size, mode="bilinear") for one, of in pairs)
        reached = [torch.minimum(shallow / max(low, _TINY), deep / max(high, _TINY)) for low, high in self.limits]
        return torch.stack(reached).amax(0)


def _quantile(values: Tensor, share: float) -> float:
    return float(values.sort().values[int(share * (len(values) - 1))])
