"""Means over seeds and images with their intervals, and numbers made of such means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number and the interval that contains it with 95 % confidence; both None where it is not defined.

    Args:
        value: from all seeds and images.
        low, high: ends of the interval.
    """

    value: float | None
    low: float | None
    high: float | None

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Draws:
    """The same draws of seeds and images for every number, so that numbers made of several means stay paired.

    Seeds and images are drawn with replacement, independently of one another. With few seeds the interval is too
    narrow in what training adds to it: n seeds show (n - 1) / n of its variance.

    Args:
        seeds: how many trainings of each design there are.
        images: how many images.
        seed: of the draws.

    Source:
        Owen, The pigeonhole bootstrap, Annals of Applied Statistics, 2007: rows and columns drawn independently.
    """

    def __init__(self, seeds: int, images: int, seed: int = 0) -> None:
        rng = np.random.default_rng((seed, seeds, images))
        self._seeds = _shares(rng, seeds)
        self._images = _shares(rng, images)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of a table (seeds, images): first of all of it, then of each draw, (1 + RESAMPLES,)."""
        drawn = np.einsum("bs,sn,bn->b", self._seeds, values, self._images, optimize=True)
        return np.concatenate([[values.mean()], drawn])


def estimate(numbers: NDArray[np.float64]) -> Estimate:
    """The first number, with the percentile interval of the others; draws where it is not defined are left out."""
    if not np.isfinite(numbers[0]):
        return Estimate(None, None, None)
    defined = numbers[1:][np.isfinite(numbers[1:])]
    if len(defined) < len(numbers) // 2:
        return Estimate(float(numbers[0]), None, None)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(numbers[0]), float(low), float(high))


def share(part: NDArray[np.float64], rest: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """`part` of the sum of itself and the rest; not a number where the sum is below 0.01, when nothing was lost."""
    total = part + sum(rest)
    return np.divide(part, total, out=np.full_like(total, np.nan), where=total >= 0.01)


def _shares(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """How much each of `count` things counts in each draw, (RESAMPLES, count)."""
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
