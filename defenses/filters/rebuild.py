"""One modality drawn anew from the other and from the rest of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.defenses.patch.cross.streams import MODALITIES, check_pair
from rgbdsod.defenses.patch.purifier import Defence, Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Rebuilder = Callable[[str, Inputs], Tensor]
"""The named input (B,C,H,W), each part of it predicted without having been seen; differentiable."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rebuild(Defence):
    """The target replaced by what guided masked modelling makes of the other modality and of its own visible parts.

    Every patch of the target is hidden once and predicted from the rest; so noise on a patch cannot pass through that
    patch, but it can through its neighbours.

    Args:
        on: not used; `target` says it.
        target: "depth" or "rgb".
        rebuilder: of a training with the alignment loss `masked`.

    Raises:
        UsageError: another target, no rebuilder, RGB or depth missing.

    Source: the model: Lin et al., ContextBLIP, arXiv 2405.19226, section 3, with depth in the place of text.
    """

    target: str = "depth"
    rebuilder: Rebuilder | None = None

    name: ClassVar[str] = "rebuild"

    def __post_init__(self) -> None:
        if self.target not in MODALITIES:
            raise UsageError(f'target="{self.target}"; pass depth or rgb')

    def __call__(self, inputs: Inputs) -> Purified:
        """The batch with the target rebuilt; the score is its mean absolute change."""
        check_pair(self.name, inputs)
        image = inputs[self.target]
        found = rebuilt(self.rebuilder, self.name, self.target, inputs)
        return Purified({**inputs, self.target: found}, torch.zeros_like(image[:, :1]),
                        (found - image).abs().flatten(1).mean(1))  # fmt: skip


def rebuilt(rebuilder: Rebuilder | None, name: str, target: str, inputs: Inputs) -> Tensor:
    """The target drawn anew, in [0, 1].

    Raises:
        UsageError: nothing to draw it with.
    """
    if rebuilder is None:
        raise UsageError(
            f"{name} needs what a training with --masked learns; pass rebuilder=..., or on the command line --weights "
            "RUN/checkpoints/best.pt of such a training"
        )
    return rebuilder(target, inputs).clamp(0, 1)
