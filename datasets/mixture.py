"""Several data sets in given shares, for training."""

from collections.abc import Sequence

import numpy as np

from rgbdsod.datasets.dataset import Dataset, View
from rgbdsod.errors import UsageError


def mixture(name: str, parts: Sequence[tuple[Dataset, float]], count: int, *, seed: int = 0) -> Dataset:
    """A data set whose samples come from several others in given shares; small ones are repeated.

    Args:
        name: how the mixture is called.
        parts: data sets with their shares, which add up to 1.
        count: samples in the mixture.
        seed: of the order; the same seed gives the same mixture.

    Raises:
        UsageError: shares that do not add up to 1, or no samples.
    """
    shares = [share for _, share in parts]
    if not np.isclose(sum(shares), 1) or min(shares) < 0:
        raise UsageError(f"shares {shares} of a mixture must be 0 or more and add up to 1")
    if count < 1:
        raise UsageError(f"a mixture of {count} images is empty; ask for 1 or more")
    choice = np.random.default_rng(seed).choice(len(parts), size=count, p=shares)
    used = [0] * len(parts)
    places = []
    for index in choice:
        part = parts[index][0]
        places.append((part, used[index] % len(part)))
        used[index] += 1
    return View(name, places)
