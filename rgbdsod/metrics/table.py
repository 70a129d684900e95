"""The table of measures: what each is called, whether up is better, and where it comes from. No torch here."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rgbdsod.registry import Table

PROTOCOLS = ("benchmark", "raw")
"""How levels become values: each map stretched to 0..1, as most papers do, or level / 255."""


@dataclass(frozen=True)
class Metric:
    """One measure.

    Attributes:
        name: key in the results, "fm_max".
        title: heading in a printed table, "maxF".
        kind: what is measured: a saliency map against its mask, or an adversarial input against the clean one.
        higher_is_better: for perturbations, whether higher means closer to the clean input.
        bounds: lowest and highest value. (E alone may pass its upper bound, by 1 / (pixels - 1).)
        definition: in one line.
        source: paper.
    """

    name: str
    title: str
    kind: Literal["saliency", "perturbation"]
    higher_is_better: bool
    bounds: tuple[float, float]
    definition: str
    source: str


_ACHANTA = "Achanta et al., CVPR 2009"
_UNIT = (0.0, 1.0)
_UNBOUNDED = (0.0, math.inf)

# name, title, whether higher is better, bounds, definition of a binary map's value, source
_FAMILIES = (
    ("fm", "F", True, _UNIT, "1.3 P R / (0.3 P + R) of precision P and recall R", _ACHANTA),
    ("precision", "P", True, _UNIT, "TP / (TP + FP)", _ACHANTA),
    ("recall", "R", True, _UNIT, "TP / (TP + FN)", _ACHANTA),
    ("iou", "IoU", True, _UNIT, "TP / (TP + FP + FN)", "Everingham et al., IJCV 2010"),
    ("dice", "Dice", True, _UNIT, "2 TP / (2 TP + FP + FN)", "Dice, Ecology 1945"),
    ("ber", "BER", False, _UNIT, "1 - (recall + specificity) / 2", "Vicente et al., ICCV 2015"),
    ("specificity", "Spec", True, _UNIT, "TN / (TN + FP)", "true negative rate"),
    ("fpr", "FPR", False, _UNIT, "FP / (TN + FP)", "false positive rate"),
    ("oa", "OA", True, _UNIT, "(TP + TN) / pixels", "share of pixels that are right"),
    ("kappa", "Kappa", True, (-1.0, 1.0), "accuracy beyond chance", "Cohen, EPM 1960"),
)
_EMEASURE = ("em", "E", True, _UNIT, "enhanced alignment of a binary map with its mask", "Fan et al., IJCAI 2018")

_KINDS = {
    "adp": "threshold at twice the map's mean value, at most 1",
    "bin": "value above 0.5",
    "mean": "mean over 256 thresholds",
    "max": "maximum over 256 thresholds (of a data set: of its mean curve)",
}


def _saliency() -> Iterator[Metric]:
    yield Metric("mae", "MAE", "saliency", False, _UNIT, "mean of |map - mask|", "Perazzi et al., CVPR 2012")
    yield Metric(
        "sm", "Sm", "saliency", True, _UNIT, "similarity of structure, object and parts", "Fan et al., ICCV 2017"
    )
    yield Metric(
        "wfm", "wF", "saliency", True, _UNIT, "F with errors weighted by their place", "Margolin et al., CVPR 2014"
    )
    for name, title, up, bounds, definition, source in (_EMEASURE, *_FAMILIES):
        for kind, how in _KINDS.items():
            if (name, kind) != ("em", "bin"):
                yield Metric(f"{name}_{kind}", kind + title, "saliency", up, bounds, f"{definition}; {how}", source)


def _perturbation() -> Iterator[Metric]:
    for name, title, definition in (
        ("l0", "L0", "pixels of which any channel changed"),
        ("l0_values", "L0 values", "values changed, each channel counted"),
        ("l1", "L1", "sum of absolute changes"),
        ("l2", "L2", "root of the sum of squared changes"),
        ("linf", "L-inf", "largest absolute change"),
    ):
        yield Metric(name, title, "perturbation", False, _UNBOUNDED, definition, "norm of attacked - clean")
    yield Metric(
        "psnr", "PSNR", "perturbation", True, _UNBOUNDED, "10 log10(1 / mean squared change), dB", "signal to noise"
    )
    yield Metric(
        "ssim",
        "SSIM",
        "perturbation",
        True,
        (-1.0, 1.0),
        "structural similarity, 11x11 Gaussian",
        "Wang et al., TIP 2004",
    )


METRICS: Table[Metric] = Table("metric", (*_saliency(), *_perturbation()))
"""All measures by name."""
