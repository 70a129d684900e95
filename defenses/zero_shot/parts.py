"""What a method works with: a batch, and the models and texts that stay the same over a training."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from rgbdsod.defenses.zero_shot.companion import Companion
from rgbdsod.defenses.zero_shot.encoder import Encoder
from rgbdsod.errors import UsageError


@dataclass(frozen=True, eq=False)
class TuningBatch:
    """Images to learn from.

    Args:
        image: (B,3,H,W) in [0, 1].
        ids: one per image; random starts of the inner attack depend on them.
        labels: (B,), from 0 on; None for methods that use none.
        captions: features of each image's own text (B,D); None: the text of its class.
        reference: what the method's `reference` gave for these images, from a cache; None: computed when it is needed.
    """

    image: Tensor
    ids: Sequence[str]
    labels: Tensor | None = None
    captions: Tensor | None = None
    reference: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """The models and texts of a training.

    Args:
        encoder: in training.
        original: the same before training; nothing is learned through it. None: the method asks for nothing of it, or
            every batch brings its `reference`.
        texts: features of all classes' texts (C,D), in the order of the labels; None: there are no classes.
        negated: likewise of texts that deny the class.
        companion: what a method learns beside the encoder.
    """

    encoder: Encoder
    original: Encoder | None = None
    texts: Tensor | None = None
    negated: Tensor | None = None
    companion: Companion | None = None

    @property
    def guide(self) -> Encoder:
        """The original model.

        Raises:
            UsageError: there is none.
        """
        if self.original is None:
            raise UsageError("this method looks at the original model; pass original=, a copy from before the training")
        return self.original

    @property
    def classes(self) -> Tensor:
        """The classes' texts.

        Raises:
            UsageError: there are none.
        """
        if self.texts is None:
            raise UsageError("this method needs the features of the classes' texts; pass texts=(C,D)")
        return self.texts

    def own_texts(self, batch: TuningBatch) -> Tensor:
        """The features of each image's own text, (B,D).

        Raises:
            UsageError: there are neither captions nor classes with labels.
        """
        return self.classes[labels_of(batch)] if batch.captions is None else batch.captions

    def denials(self, batch: TuningBatch) -> Tensor:
        """The features of the text that denies each image's class, (B,D).

        Raises:
            UsageError: there are none.
        """
        if self.negated is None:
            raise UsageError('this method needs texts such as "This is not a photo of a ..."; pass negated=(C,D)')
        return self.negated[labels_of(batch)]


def labels_of(batch: TuningBatch) -> Tensor:
    """The labels.

    Raises:
        UsageError: there are none.
    """
    if batch.labels is None:
        raise UsageError("this method needs labels, which the batch has not; pass labels=(B,), or use method fare")
    return batch.labels
