"""Weighted F-measure: errors count by where they are, which needs the pixels and not only their histogram."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.metrics.arrays import EPS, FloatArray
from rgbdsod.metrics.inputs import Maps, Pair, pairs
from rgbdsod.metrics.levels import check_protocol, stretch
from rgbdsod.metrics.masks import REACH, Mask, MaskCache, Weighting, prepare

_GAUSSIAN = cv2.getGaussianKernel(2 * REACH + 1, 5.0, cv2.CV_64F)


def wfm(preds: Maps, masks: Maps, protocol: str = "benchmark", *, cache: MaskCache | None = None) -> FloatArray:
    """Weighted F-measure of each image, with beta = 1.

    Args:
        preds: saliency maps, in any form that `rgbdsod.metrics.counts` takes.
        masks: their masks in the same form.
        protocol: "benchmark" stretches each map to 0..1, "raw" does not.
        cache: keeps distances and weights, which depend on a mask alone and take most of the time.

    Returns:
        float64 (N,), in [0, 1]; 0 for a mask without foreground.

    Raises:
        UsageError: if maps, masks or protocol are not as described.

    Source:
        Margolin et al., How to Evaluate Foreground Maps?, CVPR 2014, equations 8 to 13.
    """
    check_protocol(protocol)
    matched = pairs(preds, masks)
    return weigh(matched, [prepare(mask, cache) for _, mask in matched], protocol)


def weigh(matched: Sequence[Pair], prepared: Sequence[Mask], protocol: str) -> FloatArray:
    """The weighted F-measures (N,) of checked pairs and their prepared masks."""
    maps = (pred.cpu().numpy() for pred, _ in matched)
    return np.array([_score(pred, mask.weighting, protocol) for pred, mask in zip(maps, prepared, strict=True)])


def _score(pred: NDArray[np.uint8], weighting: Weighting | None, protocol: str) -> float:
    if weighting is None:
        return 0.0
    offset, span = (int(x) for x in stretch(pred.min(), pred.max(), protocol))
    false = _sum(weighting.importance * (pred - np.uint8(offset))) / span
    missed = _sum(_missed(pred, weighting, offset + span)) / span
    hit = weighting.foreground - missed
    recall = 1 - missed / weighting.foreground
    precision = hit / (hit + false + EPS)
    return 2 * recall * precision / (recall + precision + EPS)


def _missed(pred: NDArray[np.uint8], weighting: Weighting, top: int) -> FloatArray:
    """Levels by which foreground pixels stay below the top, a lone miss being softened by its surroundings.

    A pixel off the foreground lends its neighbours the error of the nearest foreground pixel.
    """
    error = np.uint8(top) - np.take(pred, weighting.nearest)
    # The 7x7 Gaussian is the product of a row and a column; outside the image there is nothing.
    around = cv2.sepFilter2D(error, cv2.CV_64F, _GAUSSIAN, _GAUSSIAN, borderType=cv2.BORDER_CONSTANT)
    result: FloatArray = np.minimum(error, around) * weighting.inside
    return result


def _sum(terms: NDArray[Any]) -> float:
    """A sum whose order depends on nothing but the number of terms (a threaded dot product's may)."""
    return float(terms.sum())
