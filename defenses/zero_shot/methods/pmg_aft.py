"""PMG-AFT: the predictions for attacked images follow those of the original model, and those for clean images."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.zero_shot.contrast import class_logits, class_losses
from rgbdsod.defenses.zero_shot.distances import kl_divergence
from rgbdsod.defenses.zero_shot.methods.base import Method, embed_both, summed
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch, labels_of
from rgbdsod.defenses.zero_shot.settings import check_choice, check_weights
from rgbdsod.errors import UsageError

Reduction = Literal["mean", "sum"]


@dataclass(frozen=True)
class PmgAft(Method):
    """Cross-entropy of attacked images, and two divergences between predictions.

    Args:
        general: weight of KL(original, attacked || in training, attacked).
        clean: weight of KL(in training, clean || in training, attacked).
        scale: what cosine similarities are multiplied with; None: the model's own. The released code has 1, since it
            normalises the texts a second time.
        reduction: of the divergences over the batch; the released code has "sum" beside a mean cross-entropy.
        reverse: both divergences the other way round, as in the first release.
        detach_clean: whether the predictions for clean images are held fixed.

    Source: Wang et al., "Pre-trained Model Guided Fine-Tuning for Zero-Shot Adversarial Robustness", CVPR 2024, arXiv
    2401.04350.
    """

    name: ClassVar[str] = "pmg-aft"
    general: float = 1.0
    clean: float = 1.0
    scale: float | None = None
    reduction: Reduction = "mean"
    reverse: bool = False
    detach_clean: bool = False

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, Reduction)
        check_weights(general=self.general, clean=self.clean)
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise UsageError(f"scale {self.scale:g} multiplies similarities; pass a number above 0, or none")

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """The cross-entropy over the classes, at the method's scale."""
        return class_losses(parts.encoder.embed(image), parts.classes, labels_of(batch), self._scale(parts))

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """Terms "robust", "general" and "clean"; a term of weight 0 is left out, and the pass it needs."""
        if self.clean:
            own, attacked = embed_both(parts.encoder, batch, moved)
        else:
            own = attacked = parts.encoder.embed(moved)
        scale = self._scale(parts)
        logits = class_logits(attacked, parts.classes, scale)
        robust = F.cross_entropy(logits, labels_of(batch), reduction="none").mean()
        terms = {"robust": (1.0, robust)}
        if self.general:
            with torch.no_grad():
                guide = class_logits(parts.guide.embed(moved), parts.classes, scale)
            terms["general"] = (self.general, self._divergence(guide, logits))
        if self.clean:
            guide = class_logits(own.detach() if self.detach_clean else own, parts.classes, scale)
            terms["clean"] = (self.clean, self._divergence(guide, logits))
        return {"total": summed(*terms.values()), **{name: term for name, (_, term) in terms.items()}}

    def _divergence(self, guide: Tensor, logits: Tensor) -> Tensor:
        losses = kl_divergence(logits, guide) if self.reverse else kl_divergence(guide, logits)
        return losses.sum() if self.reduction == "sum" else losses.mean()

    def _scale(self, parts: Parts) -> float:
        return parts.encoder.scale if self.scale is None else self.scale
