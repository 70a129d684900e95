"""The deep-supervised training loss of each architecture, per sample."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.errors import UsageError

TrainingLoss = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""(outputs of a network, mask (B,1,H,W) in [0, 1]) -> loss (B,)."""


def training_loss(architecture: str) -> TrainingLoss:
    """The loss that trains an architecture.

    Args:
        architecture: "bbsnet", "jldcf", "d3net" or "unet".

    Returns:
        A function of the network's outputs and the mask, (B,1,H,W) in [0, 1] at the size of the final logits, that
        gives one number per sample, (B,).

    Raises:
        UsageError: there is no such architecture.
    """
    if architecture not in _LOSSES:
        raise UsageError(f'no training loss for "{architecture}"; there is one for {", ".join(_LOSSES)}')
    return _LOSSES[architecture]


def bbsnet_loss(outputs: Mapping[str, Tensor], mask: Tensor) -> Tensor:
    """Cross-entropy of the coarse and of the final logits, in equal parts.

    Args:
        outputs: "initial" and "final" logits, (B,1,H,W).
        mask: what is salient, (B,1,H,W) in [0, 1].

    Returns:
        Loss (B,).

    Source:
        Fan et al., BBS-Net (ECCV 2020), section 3.4.
    """
    return _cross_entropy(outputs["initial"], mask) + _cross_entropy(outputs["final"], mask)


def jldcf_loss(outputs: Mapping[str, Tensor], mask: Tensor) -> Tensor:
    """Cross-entropy of the final logits and of each encoded stream's coarse logits, in equal parts.

    The paper sums over pixels and weighs the 20 x 20 coarse maps by 256, which for its 320 x 320 maps is the same.

    Args:
        outputs: "final" logits (B,1,H,W), and "coarse" logits (2B,1,h,w) of which the first half is RGB's, or
            (B,1,h,w) where the inputs meet before.
        mask: what is salient, (B,1,H,W) in [0, 1].

    Returns:
        Loss (B,).

    Source:
        Fu et al., JL-DCF (CVPR 2020), equation 4.
    """
    coarse_mask = F.interpolate(mask, size=outputs["coarse"].shape[-2:], mode="bilinear", align_corners=True)
    streams = outputs["coarse"].reshape(-1, len(mask), *outputs["coarse"].shape[1:])
    coarse = torch.stack([_cross_entropy(logits, coarse_mask) for logits in streams]).sum(dim=0)
    return _cross_entropy(outputs["final"], mask) + coarse


def d3net_loss(outputs: Mapping[str, Tensor], mask: Tensor) -> Tensor:
    """Cross-entropy of the three streams, which share nothing, so that each is trained on its own.

    Args:
        outputs: "rgb_logit", "rgbd_logit" and "depth_logit", (B,1,H,W); of a single stream, its own alone.
        mask: what is salient, (B,1,H,W) in [0, 1].

    Returns:
        Loss (B,).

    Source:
        Fan et al., D3Net (TNNLS 2021), section IV-B; on logits instead of probabilities, which is the same function.
    """
    streams = [outputs[name] for name in ("rgb_logit", "rgbd_logit", "depth_logit") if name in outputs]
    return torch.stack([_cross_entropy(logits, mask) for logits in streams]).sum(dim=0)


def unet_loss(outputs: Mapping[str, Tensor], mask: Tensor) -> Tensor:
    """Cross-entropy of the final logits alone, so that it is the same for every fusion design.

    Args:
        outputs: "final" logits, (B,1,H,W).
        mask: what is salient, (B,1,H,W) in [0, 1].

    Returns:
        Loss (B,).
    """
    return _cross_entropy(outputs["final"], mask)


def _cross_entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of logits, mean over pixels, (B,)."""
    return F.binary_cross_entropy_with_logits(logits, mask, reduction="none").mean(dim=(1, 2, 3))


_LOSSES: Mapping[str, TrainingLoss] = {
    "bbsnet": bbsnet_loss,
    "jldcf": jldcf_loss,
    "d3net": d3net_loss,
    "unet": unet_loss,
}
