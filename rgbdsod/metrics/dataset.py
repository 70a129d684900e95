"""Saliency measures of a data set."""

from dataclasses import dataclass

import numpy as np

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray, IntArray
from rgbdsod.metrics.confusion import BINARY, MEASURES
from rgbdsod.metrics.maps import Evaluation, without_foreground


@dataclass(frozen=True)
class Summary:
    """The measures of a data set.

    Attributes:
        protocol: "benchmark" or "raw"; belongs beside every number.
        images: number of images.
        without_foreground: how many of them have an empty mask (their F, recall and IoU count as 0).
        values: by the names of `METRICS`: means over images; `_mean` and `_max` are taken of the mean curve (the mean
            of each image's maximum, which some papers quote, is a larger number).
        pooled: binary values (`iou_bin`, ...) of all pixels of all images together.
        curves: mean over images, (256,) each, by name (`fm_curve`, ...); position i holds threshold 255 - i.
    """

    protocol: str
    images: int
    without_foreground: int
    values: dict[str, float]
    pooled: dict[str, float]
    curves: dict[str, FloatArray]


def summary(counts: IntArray, wfm: FloatArray | None = None, protocol: str = "benchmark") -> Summary:
    """Summarise the counts of a data set's images; rows may come from different runs.

    Args:
        counts: (N, 2048), from `rgbdsod.metrics.counts`; N at least 1.
        wfm: each image's weighted F-measure (N,), which counts cannot give; left out of the values if None.
        protocol: "benchmark" or "raw"; the one that `wfm` was computed by.

    Raises:
        UsageError: if there is no image, or counts, `wfm` or protocol are not as described.
    """
    if len(counts) == 0:
        raise UsageError("no images to summarise; pass the counts of at least one")
    if wfm is not None and np.shape(wfm) != (len(counts),):
        raise UsageError(f"counts of {len(counts)} images but wfm of shape {np.shape(wfm)}; pass one value per image")
    evaluation = Evaluation.of(counts, protocol)
    pooled = evaluation.confusion.pooled()
    values = evaluation.over_images()
    if wfm is not None:
        values["wfm"] = float(np.mean(wfm))
    return Summary(
        protocol=protocol,
        images=len(counts),
        without_foreground=int(without_foreground(counts).sum()),
        values=values,
        pooled={f"{name}_bin": float(measure(pooled)[0, BINARY]) for name, measure in MEASURES.items()},
        curves={name: curve.mean(axis=0) for name, curve in evaluation.curves().items()},
    )
