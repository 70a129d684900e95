"""True and false positives and negatives of a map made binary in 258 ways, and the measures that follow from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from rgbdsod.metrics.arrays import FloatArray, IntArray, ratio
from rgbdsod.metrics.levels import Levels

CURVE = slice(0, 256)
"""Columns of the 256 thresholds; column i holds threshold 255 - i, so the first is the strictest."""
ADAPTIVE = 256
"""Column of the threshold at twice the mean value, at most 1."""
BINARY = 257
"""Column of the threshold that a value above 0.5 passes."""

BETA2 = 0.3
"""The square of beta in the F-measure, as in Achanta et al., CVPR 2009."""


@dataclass(frozen=True)
class Confusion:
    """Numbers of pixels by prediction and truth; four arrays of one shape."""

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray

    @classmethod
    def of(cls, levels: Levels) -> "Confusion":
        """All 258 confusions of each map, (N, 258): see `CURVE`, `ADAPTIVE` and `BINARY`."""
        hist = levels.parts.sum(axis=1)
        values = levels.values
        pixels, total = hist.sum(axis=(1, 2)), (hist.sum(axis=1) * _from_offset(levels)).sum(axis=1)
        # Twice the mean and 1, both times span and pixels: integers, so a tie is a tie.
        bar = np.minimum(2 * total, levels.span * pixels)[:, None]
        adaptive = _from_offset(levels) * pixels[:, None] >= bar
        chosen = [(hist * passes[:, None]).sum(axis=2, keepdims=True) for passes in (adaptive, values > 0.5)]
        positive = np.concatenate([_above_thresholds(hist, values), *chosen], axis=2)
        negative = hist.sum(axis=2, keepdims=True) - positive
        return cls(tp=positive[:, 1], fp=positive[:, 0], fn=negative[:, 1], tn=negative[:, 0])

    def pooled(self) -> "Confusion":
        """The confusions of all images as one, (1, 258)."""
        return Confusion(*(x.sum(axis=0, keepdims=True) for x in (self.tp, self.fp, self.fn, self.tn)))


def _from_offset(levels: Levels) -> IntArray:
    result: IntArray = np.arange(256) - levels.offset[:, None]
    return result


def _above_thresholds(hist: IntArray, values: FloatArray) -> IntArray:
    """Pixels whose bin `floor(255 v)` reaches each of the thresholds 255, 254, ... 0; (N, 2, 256)."""
    bins = (255 * np.clip(values, 0, 1)).astype(np.int64)
    first = np.stack([np.searchsorted(row, np.arange(255, -1, -1)) for row in bins])  # lowest level that passes
    reaching = np.zeros((*hist.shape[:2], 257), dtype=np.int64)
    reaching[..., :256] = hist[..., ::-1].cumsum(axis=2)[..., ::-1]
    return np.take_along_axis(reaching, first[:, None, :], axis=2)


def precision(c: Confusion) -> FloatArray:
    """Share of the predicted foreground that is foreground."""
    return ratio(c.tp, c.tp + c.fp)


def recall(c: Confusion) -> FloatArray:
    """Share of the foreground that is predicted; true positive rate."""
    return ratio(c.tp, c.tp + c.fn)


def fmeasure(c: Confusion) -> FloatArray:
    """Weighted harmonic mean of precision and recall (Achanta et al., CVPR 2009, equation 6)."""
    p, r = precision(c), recall(c)
    return ratio((BETA2 + 1) * p * r, BETA2 * p + r)


def iou(c: Confusion) -> FloatArray:
    """Intersection over union of the foregrounds."""
    return ratio(c.tp, c.tp + c.fp + c.fn)


def dice(c: Confusion) -> FloatArray:
    """Twice the intersection over the sum of the foregrounds."""
    return ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def specificity(c: Confusion) -> FloatArray:
    """Share of the background that is predicted; true negative rate."""
    return ratio(c.tn, c.tn + c.fp)


def fpr(c: Confusion) -> FloatArray:
    """Share of the background that is taken for foreground."""
    return ratio(c.fp, c.tn + c.fp)


def ber(c: Confusion) -> FloatArray:
    """Balanced error rate: mean error of the two classes, a class without pixels counting as missed."""
    return 1 - 0.5 * (recall(c) + specificity(c))


def oa(c: Confusion) -> FloatArray:
    """Overall accuracy: share of pixels predicted rightly."""
    return ratio(c.tp + c.tn, c.tp + c.fp + c.fn + c.tn)


def kappa(c: Confusion) -> FloatArray:
    """Accuracy beyond chance (Cohen, Educational and Psychological Measurement 20, 1960)."""
    by_chance = (c.tp + c.fp) * (c.tp + c.fn) + (c.tn + c.fn) * (c.tn + c.tp)
    expected = ratio(by_chance, (c.tp + c.fp + c.fn + c.tn) ** 2)
    return ratio(oa(c) - expected, 1 - expected)


MEASURES: Mapping[str, Callable[[Confusion], FloatArray]] = MappingProxyType(
    {
        "fm": fmeasure,
        "precision": precision,
        "recall": recall,
        "iou": iou,
        "dice": dice,
        "ber": ber,
        "specificity": specificity,
        "fpr": fpr,
        "oa": oa,
        "kappa": kappa,
    }
)
"""The measures of a confusion, by name."""
