"""Cross-entropy or contrast on clean images, or on attacked ones, and nothing else."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rgbdsod.defenses.zero_shot.contrast import ClipLoss, clip_losses
from rgbdsod.defenses.zero_shot.methods.base import Method
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch
from rgbdsod.defenses.zero_shot.settings import check_choice


@dataclass(frozen=True)
class Contrastive(Method):
    """A method that compares images with texts.

    Args:
        clip_loss: "class": cross-entropy over all classes; "itc": symmetric contrast with the texts of the batch.
        multi_positive: "itc": images of one class are positives of each other instead of negatives.
    """

    clip_loss: ClipLoss = "class"
    multi_positive: bool = False

    def __post_init__(self) -> None:
        check_choice("clip_loss", self.clip_loss, ClipLoss)

    def check(self, parts: Parts) -> None:
        """Contrast within the batch can do with captions."""
        if self.clip_loss == "class":
            super().check(parts)

    def texts(self, parts: Parts, batch: TuningBatch) -> Tensor:
        """The texts that the loss looks at: all classes' (C,D), or each image's own (B,D)."""
        return parts.classes if self.clip_loss == "class" else parts.own_texts(batch)

    def compare(self, parts: Parts, features: Tensor, texts: Tensor, batch: TuningBatch) -> Tensor:
        """The loss between images and texts, (B,)."""
        scale = parts.encoder.scale
        return clip_losses(
            features, texts, batch.labels, scale, kind=self.clip_loss, multi_positive=self.multi_positive
        )


@dataclass(frozen=True)
class Tecoa(Contrastive):
    """TeCoA: the loss between attacked images and texts, which the attack raises as well.

    Source: Mao et al., "Understanding Zero-shot Adversarial Robustness for Large-Scale Models", arXiv 2212.07016.
    """

    name: ClassVar[str] = "tecoa"

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """The loss itself; with "itc" a sample's value depends on the others of its batch."""
        return self.compare(parts, parts.encoder.embed(image), self.texts(parts, batch), batch)

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """One term, "adversarial"."""
        features = parts.encoder.embed(moved)
        adversarial = self.compare(parts, features, self.texts(parts, batch), batch).mean()
        return {"total": adversarial, "adversarial": adversarial}


@dataclass(frozen=True)
class FtAdv(Tecoa):
    """Adversarial fine-tuning: contrast within a batch of images that were moved up the cross-entropy.

    Source: the baseline of Yu et al., "Text-Guided Attention is All You Need ...", arXiv 2410.21802, as released.
    """

    name: ClassVar[str] = "ft-adv"
    clip_loss: ClipLoss = "itc"

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """The cross-entropy over the classes."""
        return Method.attack_loss(self, parts, image, batch)

    def check(self, parts: Parts) -> None:
        """The attack needs classes."""
        Method.check(self, parts)


@dataclass(frozen=True)
class FtClean(Contrastive):
    """Fine-tuning on clean images, the reference of what tuning alone does.

    Source: as `FtAdv`.
    """

    name: ClassVar[str] = "ft-clean"
    attacked: ClassVar[bool] = False
    clip_loss: ClipLoss = "itc"

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """One term, "clean"."""
        features = parts.encoder.embed(batch.image)
        clean = self.compare(parts, features, self.texts(parts, batch), batch).mean()
        return {"total": clean, "clean": clean}
