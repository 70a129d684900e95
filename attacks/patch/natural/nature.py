"""How far a patch's appearances are from crops of photographs, as a cost that a search can lower."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from rgbdsod.attacks.patch.compose import passing
from rgbdsod.attacks.patch.natural.bank import Bank
from rgbdsod.attacks.patch.transforms.draw import Draw
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS, Transforms
from rgbdsod.attacks.randomness import Streams
from rgbdsod.errors import UsageError

CROPS = 512
"""Crops that the reference is made of."""

LOOKS = 16
"""Draws of light, print and wear under which a patch is seen."""

SEEN = "print"
_WIDTHS = (32, 64, 96)
_RIDGE = 1e-6
_SMALLEST = 8


@dataclass(frozen=True, eq=False)
class Nature:
    """Mean and covariance of the embeddings of crops under light, print and wear, and what being far from them costs.

    Args:
        weight: of the cost.
        mean: (96,), float64.
        root: of the covariance, (96,96), float64.
        seed: of the draws.
    """

    weight: float
    mean: Tensor
    root: Tensor
    seed: int = 0

    @classmethod
    @torch.no_grad()
    def of(cls, bank: Bank, weight: float) -> "Nature":
        """The nature that a bank's crops show.

        Args:
            bank: at least twice as many crops as an embedding has numbers.
            weight: of the cost.

        Raises:
            UsageError: crops smaller than 8 pixels.
        """
        height, width = bank.crops.shape[-2:]
        if min(height, width) < _SMALLEST:
            raise UsageError(
                f"--set naturalness= compares pictures of {_SMALLEST} pixels a side and more, and the patch has "
                f"{width}x{height}; pass --set canvas={_SMALLEST} or more, or a larger patch"
            )
        ids = [str(at) for at in range(len(bank.crops))]
        found = embed(appear(bank.crops, TRANSFORMS[SEEN], bank.seed, ids)).double()
        values, vectors = torch.linalg.eigh(torch.cov(found.T) + _RIDGE * torch.eye(found.shape[1]))
        root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
        return cls(weight, found.mean(0), root, bank.seed)

    def cost(self, colours: Tensor) -> Tensor:
        """The weighed Frechet distance (B,) of each patch's appearances from the crops', differentiable.

        The draws stay from step to step and are the same for all patches, so that one patch costs the same everywhere.

        Args:
            colours: patches (B,3,h,w) in [0, 1].
        """
        looks = [f"look/{look}" for look in range(LOOKS)] * len(colours)
        shown = appear(colours.repeat_interleave(LOOKS, 0), TRANSFORMS[SEEN], self.seed, looks)
        found = embed(shown).double().view(len(colours), LOOKS, -1)
        return self.weight * self._distance(found).to(colours)

    def _distance(self, features: Tensor) -> Tensor:
        """Frechet distances of samples (B,K,96) from the crops."""
        mean, root = self.mean.to(features.device), self.root.to(features.device)
        middle = features.mean(1, keepdim=True)
        centred = features - middle
        ridge = _RIDGE * torch.eye(len(mean), dtype=features.dtype, device=features.device)
        spread = centred.mT @ centred / (features.shape[1] - 1) + ridge
        shared = torch.linalg.eigvalsh(root @ spread @ root).clamp_min(1e-12).sqrt().sum(1)
        apart = (middle[:, 0] - mean).square().sum(1)
        traces = spread.diagonal(dim1=1, dim2=2).sum(1) + root.square().sum()
        found: Tensor = apart + traces - 2 * shared
        return found


def appear(pictures: Tensor, transforms: Transforms, seed: int, ids: Sequence[str] | None = None) -> Tensor:
    """Pictures (N,3,h,w) as print, light and wear leave them, each under a draw of its own.

    Args:
        pictures: in [0, 1].
        transforms: of which what happens to colours.
        seed: of the draws.
        ids: of the pictures, on which their draws depend; None: their numbers.
    """
    draw = Draw(Streams(seed, ids or [str(at) for at in range(len(pictures))], "patch", "appear"), pictures)
    for change in transforms.colours:
        pictures = change(pictures, draw)
    return passing(pictures)


def embed(pictures: Tensor, seed: int = 0) -> Tensor:
    """Embeddings (N,96) of pictures (N,3,h,w) in [0, 1]: three random convolutions, averaged over the picture.

    They are those of `rgbdsod.metrics.RandomEmbedder`, here with gradients.

    Args:
        pictures: at least 8 pixels each way.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    features = (pictures - 0.5) / 0.25
    for before, after in zip((3, *_WIDTHS), _WIDTHS, strict=False):
        weight = torch.randn(after, before, 3, 3, generator=generator) * (2 / (9 * before)) ** 0.5
        features = avg_pool2d(conv2d(features, weight.to(features), padding=1).relu(), 2)
    return features.mean((2, 3))
