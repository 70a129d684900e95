"""PatchZero: pixels that a trained classifier takes for a patch become the mean."""

from dataclasses import dataclass
from typing import ClassVar

from rgbdsod.defenses.patch.learned.sac import Sac


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchZero(Sac):
    """The segmenter of `sac` without the completion of shapes; masked pixels become the mean of the visible ones.

    It has the segmenter's own weights: the paper trains its classifier of pixels likewise, against patches that are
    optimised in between, and differs in what follows.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of the probability.
        fill: what replaces the masked pixels.
        complete: whether shapes are completed; this defence is the one that does not.
        weights: a safetensors file; None: the built-in one of `sac`.

    Raises:
        WeightsError: no such file, or one that does not fit.

    Source: Xu et al., "PatchZero: Defending against Adversarial Patch Attacks by Detecting and Zeroing the Patch",
        WACV 2023, arXiv 2207.01795.
    """

    fill: str = "mean"
    complete: bool = False

    name: ClassVar[str] = "patchzero"
    asset: ClassVar[str] = "sac"
