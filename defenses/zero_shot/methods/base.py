"""What every hardening method answers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.defenses.zero_shot.companion import Companion
from rgbdsod.defenses.zero_shot.contrast import class_losses
from rgbdsod.defenses.zero_shot.encoder import Encoder
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch, labels_of


@dataclass(frozen=True)
class Method(ABC):
    """A loss, and what the inner attack raises. It holds settings alone: models and texts come with each call."""

    name: ClassVar[str]
    attacked: ClassVar[bool] = True
    """Whether it learns from attacked images."""
    anchored: ClassVar[bool] = False
    """Whether what the inner attack raises depends on the reference."""

    def check(self, parts: Parts) -> None:
        """Refuse models or texts that the method cannot work with.

        Raises:
            UsageError: so.
        """
        _ = parts.classes

    def companion(self, width: int, seed: int) -> Companion | None:
        """What the method learns beside the encoder, if anything.

        Args:
            width: D, of the embeddings.
            seed: of first weights.
        """
        return None

    def reference(self, parts: Parts, batch: TuningBatch) -> Tensor | None:
        """What depends on the clean images and the original model alone, (B,...); None: nothing.

        It may be kept from one epoch to the next where images are not augmented.
        """
        return None

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """What the inner attack raises, (B,): the cross-entropy over the classes.

        Args:
            parts: models and texts.
            image: where the attack is, (B,3,H,W).
            batch: the clean images, their labels and what is known of them.
        """
        return class_losses(parts.encoder.embed(image), parts.classes, labels_of(batch), parts.encoder.scale)

    @abstractmethod
    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """The loss of a training step, "total", and its terms by name, each a mean over the batch.

        Args:
            parts: models and texts.
            batch: the clean images, their labels, and what `reference` gave for them.
            moved: the attacked images.
        """


def embed_both(encoder: Encoder, batch: TuningBatch, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of the clean and of the attacked images, from one pass over both."""
    clean, attacked = encoder.embed(torch.cat([batch.image, moved])).chunk(2)
    return clean, attacked


def summed(*terms: tuple[float, Tensor]) -> Tensor:
    """Weighted sum; a weight of 1 leaves the term's bits alone."""
    weight, term = terms[0]
    total = weight * term
    for weight, term in terms[1:]:
        total = total + weight * term
    return total
