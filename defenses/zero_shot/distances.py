"""How far two predictions, or two embeddings, are apart."""

import torch.nn.functional as F
from torch import Tensor

from rgbdsod.fusion.alignment.precision import full_precision


@full_precision
def kl_divergence(true: Tensor, other: Tensor) -> Tensor:
    """KL(softmax true || softmax other), (B,).

    Args:
        true: logits (B,C), those of the distribution that the expectation is over.
        other: logits (B,C).
    """
    return F.kl_div(other.log_softmax(1), true.log_softmax(1), reduction="none", log_target=True).sum(1)


@full_precision
def squared_distance(features: Tensor, others: Tensor, *, normalize: bool = False) -> Tensor:
    """Squared Euclidean distance of embeddings, summed over channels, (B,).

    Args:
        features: (B,D).
        others: (B,D).
        normalize: compare the unit vectors.

    Source:
        Schlarmann et al., FARE, ICML 2024, arXiv 2402.12336.
    """
    if normalize:
        features, others = F.normalize(features, dim=1), F.normalize(others, dim=1)
    return (features - others).square().sum(1)
