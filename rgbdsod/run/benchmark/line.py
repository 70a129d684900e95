"""A line of the table: what an attack within one radius did to one network."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.run.ablation.statistics import Draws, Estimate, estimate
from rgbdsod.run.benchmark.suites import Case
from rgbdsod.run.clip.accuracy import wilson

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MEASURES = {"saliency": "sm", "zero-shot": "accuracy"}
"""The main measure of each world."""


@dataclass(frozen=True)
class Line:
    """What both worlds have in common.

    Args:
        case: what was done.
        network: the model's full name.
        eps: the radius.
        images: how many.
        clean, attacked: the world's main measure.
        loss: (clean - attacked) / clean.
        held: images that did not fail before the attack.
        fooled: how many of these fail under it.
        share: of `fooled` in `held`.
    """

    case: Case
    network: str
    eps: float
    images: int
    clean: float
    attacked: float
    loss: Estimate
    held: int
    fooled: int
    share: Estimate

    @classmethod
    def of(
        cls, case: Case, network: str, eps: float, *, clean: Floats, attacked: Floats, failed: Flags, fails: Flags,
    ) -> "Line":  # fmt: skip
        """A line from what is known of each image, in one order.

        Args:
            case, network, eps: see `Line`.
            clean, attacked: the main measure before and after (N,), in [0, 1].
            failed, fails: whether the image fails before, and after (N,).
        """
        held, fooled = int((~failed).sum()), int((fails & ~failed).sum())
        return cls(
            case, network, eps, len(clean), float(clean.mean()), float(attacked.mean()), relative_loss(clean, attacked),
            held, fooled, _share(fooled, held),
        )  # fmt: skip

    def row(self) -> dict[str, Any]:
        """The line as flat values."""
        case = self.case
        name, parameters = case.member
        found: dict[str, Any] = {
            "world": case.world, "model": self.network, "data": case.data, "images": self.images, "attack": case.attack,
            "method": name, "parameters": parameters, "modality": case.modality, "norm": "linf", "eps": self.eps,
            "measure": MEASURES[case.world], "clean": self.clean, "attacked": self.attacked,
        }  # fmt: skip
        found |= {"loss": asdict(self.loss), "held": self.held, "fooled": self.fooled, "share": asdict(self.share)}
        return found


def relative_loss(clean: Floats, attacked: Floats) -> Estimate:
    """The share of the clean mean that is lost, with a 95 % interval from drawing images with replacement.

    Args:
        clean, attacked: of the same images (N,); a pair stays together.

    Returns:
        No number where the clean mean is 0.
    """
    draws = Draws(1, len(clean))
    before, after = draws.mean(clean[None]), draws.mean(attacked[None])
    return estimate(1 - np.divide(after, before, out=np.full_like(after, np.nan), where=before > 0))


def _share(part: int, total: int) -> Estimate:
    if not total:
        return Estimate(None, None, None)
    found = wilson(part, total)
    return Estimate(found.value, found.low, found.high)
