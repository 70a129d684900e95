"""FARE: embeddings of attacked images stay where those of the clean ones were."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.defenses.zero_shot.distances import squared_distance
from rgbdsod.defenses.zero_shot.methods.base import Method, embed_both, summed
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch
from rgbdsod.defenses.zero_shot.settings import check_share


@dataclass(frozen=True)
class Fare(Method):
    """Squared distance to the original embedding of the clean image; no labels, no texts.

    Args:
        normalize: compare unit vectors.
        clean_weight: share w of the same distance for the clean image, in [0, 1].
        trades: attacked images are drawn to where the model in training now has the clean ones, held fixed.

    Source: Schlarmann et al., "Robust CLIP: Unsupervised Adversarial Fine-Tuning of Vision Embeddings ...", arXiv
    2402.12336; the last two settings are those of its released code.
    """

    name: ClassVar[str] = "fare"
    anchored: ClassVar[bool] = True
    normalize: bool = False
    clean_weight: float = 0.0
    trades: bool = False

    def __post_init__(self) -> None:
        check_share(clean_weight=self.clean_weight)

    def check(self, parts: Parts) -> None:
        """Any encoder will do."""

    @torch.no_grad()
    def reference(self, parts: Parts, batch: TuningBatch) -> Tensor:
        """The original embeddings, (B,D)."""
        return parts.guide.embed(batch.image)

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """The distance to the original embedding of the clean image."""
        return self._distance(parts.encoder.embed(image), self._kept(parts, batch))

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """Terms "adversarial" and, with a weight, "clean"."""
        kept = self._kept(parts, batch)
        if self.clean_weight:
            own, attacked = embed_both(parts.encoder, batch, moved)
            clean = self._distance(own, kept).mean()
            adversarial = self._distance(attacked, own.detach() if self.trades else kept).mean()
            total = summed((self.clean_weight, clean), (1 - self.clean_weight, adversarial))
            return {"total": total, "clean": clean, "adversarial": adversarial}
        if self.trades:
            with torch.no_grad():
                kept = parts.encoder.embed(batch.image)
        adversarial = self._distance(parts.encoder.embed(moved), kept).mean()
        return {"total": adversarial, "adversarial": adversarial}

    def _kept(self, parts: Parts, batch: TuningBatch) -> Tensor:
        return self.reference(parts, batch) if batch.reference is None else batch.reference

    def _distance(self, features: Tensor, others: Tensor) -> Tensor:
        return squared_distance(features, others, normalize=self.normalize)
