"""Is a mean change more than the luck of the images? A paired bootstrap."""

from dataclasses import dataclass

import numpy as np

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray


@dataclass(frozen=True)
class Interval:
    """A mean change and the interval that contains it with the stated confidence."""

    mean: float
    low: float
    high: float
    level: float


def paired_change(
    clean: FloatArray, attacked: FloatArray, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of `attacked - clean` over images, with a bootstrap interval over the images.

    An image's two values stay together, so what differs between images does not widen the interval.

    Args:
        clean: one measure of each image before the attack, (N,).
        attacked: the same measure of the same images after it, (N,).
        level: confidence, in (0, 1).
        resamples: how often N images are drawn with replacement.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        The mean and the percentile interval. With one image both ends are the mean.

    Raises:
        UsageError: if the values are not paired, there are none, or an option is out of range.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
    """
    if np.ndim(clean) != 1 or np.shape(clean) != np.shape(attacked) or len(clean) == 0:
        raise UsageError(
            f"clean values have shape {np.shape(clean)}, attacked {np.shape(attacked)}; pass one of each per image"
        )
    if not 0 < level < 1 or resamples < 1:
        raise UsageError(f"level {level} and resamples {resamples}; expected a level in (0, 1) and at least 1 resample")
    change = np.subtract(attacked, clean, dtype=np.float64)
    rng = np.random.default_rng(seed)
    images = len(change)
    means = [change[rng.integers(images, size=images)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean=float(change.mean()), low=float(low), high=float(high), level=level)
