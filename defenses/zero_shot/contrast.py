"""Images against texts: cross-entropy over classes, and contrast within a batch."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.itc import itc_losses
from rgbdsod.fusion.alignment.precision import full_precision

ClipLoss = Literal["class", "itc"]
"""Cross-entropy over all classes, or symmetric contrast with the texts of the batch."""


@full_precision
def class_logits(features: Tensor, texts: Tensor, scale: float) -> Tensor:
    """Scaled cosine similarities.

    Args:
        features: of images (B,D), of any length.
        texts: of classes (C,D), of any length.
        scale: the model's exp(logit_scale).

    Returns:
        (B,C), at least float32.

    Source:
        Radford et al., CLIP, arXiv 2103.00020, section 3.1.
    """
    images, classes = F.normalize(features, dim=1), F.normalize(texts, dim=1).to(features.dtype)
    # A product of its own for each image: one product for the batch rounds differently in batches of other sizes.
    products = torch.bmm(images[:, None], classes.T.expand(len(images), -1, -1))
    return scale * products[:, 0]


def class_losses(features: Tensor, texts: Tensor, labels: Tensor, scale: float) -> Tensor:
    """Cross-entropy over all classes, (B,).

    Args:
        features, texts, scale: see `class_logits`.
        labels: (B,), from 0 on.

    Source:
        Mao et al., TeCoA, ICLR 2023, arXiv 2212.07016.
    """
    return F.cross_entropy(class_logits(features, texts, scale), labels, reduction="none")


def clip_losses(
    features: Tensor,
    texts: Tensor,
    labels: Tensor | None,
    scale: float,
    *,
    kind: ClipLoss = "class",
    multi_positive: bool = False,
) -> Tensor:
    """Either of the two losses between images and texts, (B,).

    Args:
        features: of images (B,D).
        texts: "class": of all classes (C,D); "itc": each image's own (B,D).
        labels: (B,); "itc" needs them for `multi_positive` only.
        scale: the model's exp(logit_scale).
        kind: which loss. With "itc" a sample's loss depends on the others of its batch.
        multi_positive: "itc": images of one class share their texts as positives, instead of being negatives.

    Raises:
        UsageError: labels are missing.
    """
    if labels is None and (kind == "class" or multi_positive):
        raise UsageError('this loss needs labels, which the batch has not; pass them, or clip_loss="itc" with captions')
    if kind == "class" and labels is not None:
        return class_losses(features, texts, labels, scale)
    return itc_losses(
        features, texts, 1 / scale, labels if multi_positive else None, positives="group" if multi_positive else "own"
    )
