"""Telling features of clean images from those of attacked ones."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from rgbdsod.fusion.alignment.precision import full_precision


@full_precision
def discriminator_loss(clean: Tensor, moved: Tensor) -> Tensor:
    """Half the sum of two binary cross-entropies: clean features are 1, those of attacked images 0.

    Args:
        clean: the discriminator's logits (B,); moved: likewise, for attacked images.
    """
    right, wrong = (F.binary_cross_entropy_with_logits(z, torch.full_like(z, v)) for z, v in ((clean, 1), (moved, 0)))
    return (right + wrong) / 2


@full_precision
def generator_loss(moved: Tensor) -> Tensor:
    """Binary cross-entropy with "clean" of the logits (B,) for attacked images, which the encoder lowers."""
    return F.binary_cross_entropy_with_logits(moved, torch.ones_like(moved))


class Discriminator(nn.Module):
    """Two linear layers on unit features.

    Args:
        width: D, of the features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, 1))

    @full_precision
    def forward(self, features: Tensor) -> Tensor:
        """Logits (B,), higher for clean, of features (B,D)."""
        units = F.normalize(features, dim=1).to(next(self.parameters()).dtype)
        logits: Tensor = self.layers(units)
        return logits[:, 0]

    def held(self, features: Tensor) -> Tensor:
        """The same logits, whose gradient reaches the features alone and not the discriminator."""
        weights = {name: value.detach() for name, value in self.named_parameters()}
        logits: Tensor = functional_call(self, weights, (features,))
        return logits
