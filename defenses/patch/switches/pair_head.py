"""The heads of an alignment training that say which input was attacked, as a defence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rgbdsod.defenses.patch.cross.streams import check_pair
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Judge = Callable[[Inputs], Tensor]
"""Logits (B,2) or more, of "RGB was attacked" and "depth was attacked" first; differentiable."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairHead(Switch):
    """The input that a trained judge accuses is dropped, in the whole image.

    The judge is trained with the network, by the alignment loss `manipulation`, which shows it inputs that were
    attacked, covered by a patch, or swapped.

    Args:
        on: not used.
        threshold: of the logit; `calibrate` sets it.
        judge: of both inputs.

    Raises:
        UsageError: no judge; RGB or depth missing.

    Source: after Shao et al., HAMMER, arXiv 2304.02556.
    """

    judge: Judge | None = None

    name: ClassVar[str] = "pair-head"
    sharpness: ClassVar[float] = 1.0

    def accusations(self, inputs: Inputs) -> Tensor:
        """The judge's logits of RGB and depth, (B,2)."""
        check_pair(self.name, inputs)
        if self.judge is None:
            raise UsageError(
                f"{self.name} needs the heads of a training with --manipulation; pass judge=..., or on the command "
                "line --weights RUN/checkpoints/best.pt of such a training"
            )
        return self.judge({name: inputs[name] for name in self.suspects})[:, : len(self.suspects)]
