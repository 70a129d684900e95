"""Saliency measures of each image: from maps and masks, or from their counts."""

from dataclasses import dataclass

import numpy as np

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import BoolArray, FloatArray, IntArray, ratio
from rgbdsod.metrics.confusion import ADAPTIVE, BINARY, CURVE, MEASURES, Confusion
from rgbdsod.metrics.emeasure import emeasure
from rgbdsod.metrics.histogram import BINS, count
from rgbdsod.metrics.inputs import Maps, pairs
from rgbdsod.metrics.levels import Levels, check_protocol
from rgbdsod.metrics.masks import MaskCache, prepare
from rgbdsod.metrics.smeasure import smeasure
from rgbdsod.metrics.weighted import weigh


def saliency(
    preds: Maps,
    masks: Maps,
    protocol: str = "benchmark",
    *,
    cache: MaskCache | None = None,
    wfm: bool = True,
) -> dict[str, FloatArray]:
    """All saliency measures of each image.

    Args:
        preds: saliency maps, uint8 levels 0..255: one (H, W), a batch (N, H, W) or (N, 1, H, W), or a list of any
            sizes; arrays or tensors on any device. Each at the size of its mask.
        masks: their masks in the same form; above 128 is foreground.
        protocol: "benchmark" stretches each map to 0..1, "raw" does not.
        cache: keeps what depends on a mask alone between calls; worth it when masks come again.
        wfm: whether to compute the weighted F-measure, which takes most of the time.

    Returns:
        float64 (N,) by name (the rows of `METRICS`): `mae`, `sm`, `wfm`, `em_adp`, `em_mean`, `em_max` and, for each of
        fm, precision, recall, iou, dice, ber, specificity, fpr, oa, kappa, `_adp` (threshold at twice the mean value),
        `_bin` (value above 0.5), `_mean` and `_max` (over 256 thresholds). Never NaN.

    Raises:
        UsageError: if maps, masks or protocol are not as described.

    Example:
        >>> import numpy as np
        >>> from rgbdsod.metrics import saliency
        >>> mask = np.zeros((4, 6), np.uint8)
        >>> mask[1:3, 2:5] = 255
        >>> float(saliency(mask // 2, mask, protocol="raw")["mae"][0])
        0.12549019607843137
    """
    check_protocol(protocol)
    matched = pairs(preds, masks)
    prepared = [prepare(mask, cache) for _, mask in matched]
    values = from_counts(count(matched, prepared), protocol)
    if not wfm:
        return values
    names = list(values)
    values["wfm"] = weigh(matched, prepared, protocol)
    return {name: values[name] for name in [*names[:2], "wfm", *names[2:]]}


def from_counts(counts: IntArray, protocol: str = "benchmark") -> dict[str, FloatArray]:
    """All saliency measures but the weighted F-measure, from counts.

    Args:
        counts: (N, 2048), from `rgbdsod.metrics.counts`.
        protocol: "benchmark" or "raw".

    Returns:
        float64 (N,) by name, as `saliency` returns them.

    Raises:
        UsageError: if counts or protocol are not as described.
    """
    return Evaluation.of(counts, protocol).per_image()


def curves(counts: IntArray, protocol: str = "benchmark") -> dict[str, FloatArray]:
    """The curves of each image.

    Args:
        counts: (N, 2048), from `rgbdsod.metrics.counts`.
        protocol: "benchmark" or "raw".

    Returns:
        float64 (N, 256) by name: `em_curve`, `fm_curve`, `precision_curve`, ...; column i holds threshold 255 - i.

    Raises:
        UsageError: if counts or protocol are not as described.
    """
    return Evaluation.of(counts, protocol).curves()


def without_foreground(counts: IntArray) -> BoolArray:
    """Which masks are empty, so that F, recall and IoU say nothing; (N,). Such images are worth a report of their own.

    Args:
        counts: (N, 2048), from `rgbdsod.metrics.counts`.
    """
    empty: BoolArray = check_counts(counts).reshape(-1, 4, 2, 256)[:, :, 1].sum(axis=(1, 2)) == 0
    return empty


def check_counts(counts: IntArray) -> IntArray:
    """The counts if they can be counts.

    Raises:
        UsageError: if they are not integers (N, 2048), or a row counts no pixel.
    """
    if counts.ndim != 2 or counts.shape[1] != BINS or not np.issubdtype(counts.dtype, np.integer):
        raise UsageError(
            f"counts are {counts.dtype} {counts.shape}; expected integers (N, {BINS}) from rgbdsod.metrics.counts"
        )
    if not counts.any(axis=1).all():
        raise UsageError(f"row {int(counts.any(axis=1).argmin())} of the counts holds no pixel; leave it out")
    return counts.astype(np.int64, copy=False)


@dataclass(frozen=True)
class Evaluation:
    """Every measure of every image, before the choice of what to report.

    Attributes:
        mae: (N,).
        sm: (N,).
        confusion: (N, 258), see `confusion.Confusion.of`.
        measures: (N, 258) by name: em, fm, precision, ...
    """

    mae: FloatArray
    sm: FloatArray
    confusion: Confusion
    measures: dict[str, FloatArray]

    @classmethod
    def of(cls, counts: IntArray, protocol: str) -> "Evaluation":
        """Evaluate counts (N, 2048)."""
        check_protocol(protocol)
        levels = Levels.of(check_counts(counts), protocol)
        confusion = Confusion.of(levels)
        measures = {"em": emeasure(confusion)} | {name: measure(confusion) for name, measure in MEASURES.items()}
        return cls(_mae(levels), smeasure(levels), confusion, measures)

    def per_image(self) -> dict[str, FloatArray]:
        """The values of each image by name, (N,)."""
        values = {"mae": self.mae, "sm": self.sm}
        for name, measure in self.measures.items():
            values |= _at_thresholds(name, measure)
            values |= _over_curve(name, measure[:, CURVE])
        return values

    def curves(self) -> dict[str, FloatArray]:
        """The curves of each image by name, (N, 256)."""
        return {f"{name}_curve": measure[:, CURVE] for name, measure in self.measures.items()}

    def over_images(self) -> dict[str, float]:
        """The values of the data set: means over images, and mean and maximum of the mean curve."""
        values = {"mae": self.mae, "sm": self.sm}
        for name, measure in self.measures.items():
            values |= _at_thresholds(name, measure)
            values |= _over_curve(name, measure[:, CURVE].mean(axis=0, keepdims=True))
        return {name: float(value.mean()) for name, value in values.items()}


def _at_thresholds(name: str, measure: FloatArray) -> dict[str, FloatArray]:
    """Adaptive and binary values, (N,); the E-measure is not in use at 0.5."""
    adaptive = {f"{name}_adp": measure[:, ADAPTIVE]}
    return adaptive if name == "em" else adaptive | {f"{name}_bin": measure[:, BINARY]}


def _over_curve(name: str, curve: FloatArray) -> dict[str, FloatArray]:
    return {f"{name}_mean": curve.mean(axis=1), f"{name}_max": curve.max(axis=1)}


def _mae(levels: Levels) -> FloatArray:
    """Mean absolute error (Perazzi et al., Saliency Filters, CVPR 2012, equation 11), (N,)."""
    whole = levels.moments.sum(axis=1)
    error = whole.first[:, 0] + whole.pixels[:, 1] * levels.span - whole.first[:, 1]
    return ratio(error, whole.pixels.sum(axis=1) * levels.span)
