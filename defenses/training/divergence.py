"""How far a map is from another: per-pixel divergence of Bernoulli distributions, and the attack that raises it."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rgbdsod.attacks import MapProblem, frozen
from rgbdsod.attacks.partial import modules_of
from rgbdsod.types import Inputs, MapModel


def bernoulli_kl(true: Tensor, other: Tensor) -> Tensor:
    """KL divergence of each pixel's Bernoulli distributions, mean over pixels, (B,).

    Args:
        true: logits (B,1,H,W) of the distribution that the expectation is over.
        other: logits (B,1,H,W).
    """
    true, other = true.float(), other.float()
    divergence = true.sigmoid() * (true - other) + softplus(other) - softplus(true)
    return divergence.flatten(1).mean(1)


def clean_logits(model: MapModel, inputs: Inputs, size: tuple[int, int]) -> Tensor:
    """The map of clean inputs in evaluation mode, (B,1,H,W), without gradient; flags are put back."""
    with frozen(*modules_of(model)), torch.no_grad():
        return model.fuse({name: model.encode(name, value) for name, value in inputs.items()}, size)


class FromClean(MapProblem):
    """Move the predicted map away from the one of the clean inputs.

    Args:
        model: what is attacked.
        clean: its logits for the clean inputs, (B,1,H,W).
    """

    def __init__(self, model: MapModel, clean: Tensor) -> None:
        super().__init__(model, clean.sigmoid())
        self._clean = clean

    def loss(self, outputs: Tensor, progress: float = 0.0) -> Tensor:
        """The divergence from the clean map, (B,)."""
        return bernoulli_kl(self._clean, outputs)

    def select(self, index: Tensor) -> "FromClean":
        """The problem for some of the samples."""
        return super().select(index)._with(_clean=self._clean[index])
