"""Losses that keep what a network looks at, and what it feels, where clean inputs put it.

They carry two ideas of the hardening of dual encoders over to RGB-D: attention refinement (TGA-ZSR) and features that
stay where a frozen network has them (FARE).
"""

import torch
from torch import Tensor

_TINY = 1e-12


def cross_modal_attention(rgb: Tensor, depth: Tensor) -> Tensor:
    """Where both inputs have something to say: the geometric mean of their spatial attention, (B,h*w), summing to 1.

    The attention of one input is the sum of its squared features over channels at each place. It takes no weights of
    its own, so it serves networks without cross-attention.

    Args:
        rgb: features (B,C,h,w) of RGB alone.
        depth: features (B,D,h,w) of depth alone.

    Source: Zagoruyko and Komodakis, "Paying More Attention to Attention", arXiv 1612.03928, section 3.1, for one input;
        the mean over two is this project's.
    """
    each = [feature.float().square().mean(1).flatten(1) for feature in (rgb, depth)]
    shares = [values / values.sum(1, keepdim=True).clamp_min(_TINY) for values in each]
    both = (shares[0] * shares[1] + _TINY).sqrt()
    return both / both.sum(1, keepdim=True)


def attention_distance(attacked: Tensor, clean: Tensor) -> Tensor:
    """The share of attention that an attack moves elsewhere, in [0, 1], (B,); the clean side takes no gradient.

    Args:
        attacked: attention (B,N) that sums to 1.
        clean: likewise.

    Source: Yu et al., "Text-Guided Attention is All You Need for Zero-Shot Robustness in Vision-Language Models",
        arXiv 2410.21802, equation 6 (attention refinement), with the total variation in place of their L2 norm.
    """
    return (attacked - clean.detach()).abs().sum(1) / 2


def feature_distance(attacked: Tensor, frozen: Tensor) -> Tensor:
    """Squared distance of features, over the mean squared length of the frozen ones, mean over places, (B,).

    Args:
        attacked: features (B,C,h,w) of attacked inputs.
        frozen: those of a frozen network for the clean inputs; they take no gradient.

    Source: Schlarmann et al., "Robust CLIP" (FARE), arXiv 2402.12336, equation 3, at each place of a feature map; the
        division makes a weight mean the same in every network.
    """
    frozen = frozen.detach().float()
    distance = (attacked.float() - frozen).square().sum(1).flatten(1).mean(1)
    return distance / torch.clamp(frozen.square().sum(1).mean(), min=_TINY)
