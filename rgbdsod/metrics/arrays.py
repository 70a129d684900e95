"""Array types of this room, and the ratio that is never NaN."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]

EPS = float(np.finfo(np.float64).eps)


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> FloatArray:
    """`numerator / denominator` in float64; 0 where the denominator is 0."""
    above, below = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    result: FloatArray = np.divide(above, below, out=np.zeros(below.shape), where=below != 0)
    return result
