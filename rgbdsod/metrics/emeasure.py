"""E-measure: how well a binary map and its mask align, each seen against its own mean."""

import numpy as np

from rgbdsod.metrics.arrays import EPS, FloatArray, IntArray
from rgbdsod.metrics.confusion import Confusion


def emeasure(c: Confusion) -> FloatArray:
    """Enhanced-alignment measure.

    Args:
        c: confusions of any shape.

    Returns:
        The same shape. A perfect map scores N / (N - 1), a little above 1, since the definition divides by N - 1.

    Source:
        Fan et al., Enhanced-alignment Measure, IJCAI 2018, equations 2 to 5; 1805.10421.
    """
    pixels = c.tp + c.fp + c.fn + c.tn
    foreground, predicted = c.tp + c.fn, c.tp + c.fp
    mean_mask, mean_map = foreground / pixels, predicted / pixels
    aligned = (
        _aligned(c.tp, 1 - mean_map, 1 - mean_mask)
        + _aligned(c.fp, 1 - mean_map, -mean_mask)
        + _aligned(c.fn, -mean_map, 1 - mean_mask)
        + _aligned(c.tn, -mean_map, -mean_mask)
    )
    # Against a mask of one kind there is nothing to align with: the share of pixels that are right counts.
    aligned = np.where(foreground == 0, pixels - predicted, aligned)
    aligned = np.where(foreground == pixels, predicted, aligned)
    result: FloatArray = aligned / (pixels - 1 + EPS)
    return result


def _aligned(count: IntArray, map_bias: FloatArray, mask_bias: FloatArray) -> FloatArray:
    """Alignment of one kind of pixel, times their number."""
    alignment = 2 * (map_bias * mask_bias) / (map_bias**2 + mask_bias**2 + EPS)
    return (alignment + 1) ** 2 / 4 * count
