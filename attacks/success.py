"""When a dense attack counts as successful: a stated rule such as "iou<0.5"."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rgbdsod.attacks.pixels import Pixels
from rgbdsod.attacks.regions import mae
from rgbdsod.errors import UsageError


def _overlap(pixels: Pixels) -> Tensor:
    """Intersection over union of the maps at 0.5; 0 where both are empty."""
    predicted, wanted = pixels.logits > 0, pixels.reference.positive
    return pixels.count(predicted & wanted) / pixels.count(predicted | wanted).clamp_min(1)


def _flipped(pixels: Pixels) -> Tensor:
    """Share of the pixels that are wrong."""
    return pixels.mean((pixels.margin <= 0).to(pixels.logits))


_MEASURES: dict[str, Callable[[Pixels], Tensor]] = {"iou": _overlap, "flipped": _flipped, "mae": mae}
_RELATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Success:
    """A rule on one prediction.

    Args:
        measure: "iou", "flipped" (share of wrong pixels) or "mae", against the truth.
        relation: "<", "<=", ">" or ">=".
        threshold: what the measure is compared with.
        on_target: whether it is measured against the target map instead.
    """

    measure: str
    relation: str
    threshold: float
    on_target: bool = False

    @torch.no_grad()
    def __call__(self, pixels: Pixels) -> Tensor:
        """Whether the rule holds, bool (B,)."""
        return _RELATIONS[self.relation](_MEASURES[self.measure](pixels), self.threshold)

    @torch.no_grad()
    def stakes(self, pixels: Pixels) -> tuple[bool, Tensor, Tensor]:
        """What would make the rule hold.

        Args:
            pixels: the prediction beside the map that the rule measures it against.

        Returns:
            Whether pixels must turn to that map rather than away from it; how much each that does counts, (B,N); and
            the sum at which the rule holds, (B,). A mean absolute error counts like the share of wrong pixels.
        """
        inside = pixels.reference.positive.flatten(1).to(pixels.logits)
        counts = torch.ones_like(inside) if pixels.valid is None else pixels.valid.flatten(1).to(inside)
        lower = self.relation.startswith("<")
        toward = lower != (self.measure == "iou")
        if self.measure == "iou":
            # a missing object pixel and b false ones leave an IoU of (G - a) / (G + b)
            weight = counts * torch.where(inside > 0, 1.0, self.threshold)
            need = (1 - self.threshold) * (counts * inside).sum(1)
        else:
            weight, need = counts, self.threshold * counts.sum(1)
        # a strict relation asks for a little more: less than any pixel's weight, more than rounding
        strict = 0.0 if self.relation.endswith("=") else torch.where(need > 0, 1e-4, 0.0)
        return toward, weight, (weight.sum(1) - need if toward else need) + strict


def parse_success(text: str) -> Success:
    """A rule from its text: "iou<0.5", "flipped>=0.99", "target-iou>=0.5".

    Raises:
        UsageError: the text is no such rule.
    """
    found = re.fullmatch(r"\s*(target-)?([a-z]+)\s*(<=|>=|<|>)\s*([0-9.]+)\s*", text)
    if not found or found[2] not in _MEASURES or not re.fullmatch(r"\d*\.?\d+|\d+\.", found[4]):
        raise UsageError(
            f'--success "{text}" is no rule; write MEASURE<NUMBER or MEASURE>=NUMBER, for example iou<0.5, '
            f"with MEASURE one of {', '.join(_MEASURES)} or target-iou"
        )
    return Success(found[2], found[3], float(found[4]), on_target=bool(found[1]))
