"""Area under the ROC curve of pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def pixel_auroc(values: NDArray[Any], truth: NDArray[np.bool_]) -> float | None:
    """The probability that a pixel inside has a larger value than one outside; ties count half.

    Args:
        values: of pixels, any shape.
        truth: whether each is inside, of the same shape.

    Returns:
        None where all pixels are on one side.
    """
    inside = truth.ravel()
    count = int(inside.sum())
    rest = inside.size - count
    if not count or not rest:
        return None
    ranks = rankdata(values.ravel())
    return float((ranks[inside].sum() - count * (count + 1) / 2) / (count * rest))
