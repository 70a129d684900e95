"""Objectives on maps that are sums over pixels, and the view of a prediction that all map objectives take.

An objective says how far the prediction is from a reference map. Away from the truth it is raised; towards a target map
it is lowered, and then "turned" pixels are those that already show the target.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


@dataclass(frozen=True, eq=False)
class Pixels:
    """One prediction beside its reference map.

    Args:
        logits: (B,1,H,W).
        reference: the map to move away from or towards, (B,1,H,W) in [0, 1].
        sign: the same map at 0.5 as -1 and +1.
        valid: the pixels that count, (B,1,H,W) of the logits' type; None: all.
        toward: whether the reference is a target.
        progress: how much of the attack is done, 0 to 1.
    """

    logits: Tensor
    reference: Tensor
    sign: Tensor
    valid: Tensor | None = None
    toward: bool = False
    progress: float = 0.0

    @cached_property
    def margin(self) -> Tensor:
        """The signed logit m: positive where the pixel agrees with the reference."""
        return self.sign * self.logits

    @cached_property
    def error(self) -> Tensor:
        """Binary cross-entropy of each pixel, against the binary reference."""
        return softplus(-self.margin)

    @cached_property
    def unturned(self) -> Tensor:
        """Where the attack has work left, bool."""
        return self.margin <= 0 if self.toward else self.margin > 0

    @cached_property
    def probability(self) -> Tensor:
        """The predicted map in [0, 1]."""
        return self.logits.sigmoid()

    def total(self, values: Tensor) -> Tensor:
        """The sum (B,) over the pixels that count."""
        return (values if self.valid is None else values * self.valid).flatten(1).sum(1)

    def mean(self, values: Tensor) -> Tensor:
        """The mean (B,) over the pixels that count."""
        if self.valid is None:
            return values.flatten(1).mean(1)
        return self.total(values) / self.valid.flatten(1).sum(1).clamp_min(1)


def signs(reference: Tensor) -> Tensor:
    """A map in [0, 1] as -1 and +1, cut at 0.5."""
    return torch.where(reference > 0.5, 1.0, -1.0).to(reference)


def bce(pixels: Pixels) -> Tensor:
    """Mean binary cross-entropy."""
    return pixels.mean(pixels.error)


def balanced_bce(pixels: Pixels) -> Tensor:
    """Binary cross-entropy, half from the object and half from the background, so that a small object counts."""
    halves = []
    for side in (pixels.sign > 0, pixels.sign < 0):
        count = pixels.total(side.to(pixels.logits)).clamp_min(1)
        halves.append(pixels.total(pixels.error * side) / count)
    return (halves[0] + halves[1]) / 2


def masked_bce(pixels: Pixels) -> Tensor:
    """Binary cross-entropy of the pixels that have not turned yet.

    Source: Croce et al., "Towards Reliable Evaluation and Fast Training of Robust Semantic Segmentation Models",
    arXiv 2306.12941, section 3.
    """
    return pixels.mean(pixels.error * pixels.unturned)


def segpgd(pixels: Pixels) -> Tensor:
    """Binary cross-entropy weighted 1 - lambda where the attack has work left and lambda elsewhere, lambda = t / 2T.

    Source: Gu et al., "SegPGD", arXiv 2207.12391, equations 4 and 7.
    """
    later = pixels.progress / 2
    return pixels.mean(torch.where(pixels.unturned, (1 - later) * pixels.error, later * pixels.error))


def cospgd(pixels: Pixels) -> Tensor:
    """Binary cross-entropy weighted by the cosine between the prediction (1-p, p) and the one-hot reference.

    The weight is a constant in differentiation; towards a target it is one minus the cosine.

    Source: Agnihotri et al., "CosPGD", arXiv 2302.02213, equations 5 and 6.
    """
    agreement = pixels.margin.detach()
    right, wrong = agreement.sigmoid(), (-agreement).sigmoid()
    cosine = right / torch.hypot(right, wrong)
    weight = 1 - cosine if pixels.toward else cosine
    return pixels.mean(weight * pixels.error)


def js(pixels: Pixels) -> Tensor:
    """Jensen-Shannon divergence of (q, 1-q) and (1, 0), q the probability of the reference; in [0, log 2].

    Its slope vanishes for pixels that are lost already.

    Source: Croce et al., arXiv 2306.12941, equation 5.
    """
    right = pixels.margin.sigmoid()
    divergence = right * logsigmoid(pixels.margin) - (1 + right) * right.log1p() + 2 * math.log(2)
    return pixels.mean(divergence) / 2


def margin(pixels: Pixels) -> Tensor:
    """Minus the mean signed logit."""
    return -pixels.mean(pixels.margin)


def masked_margin(pixels: Pixels) -> Tensor:
    """Minus the signed logit of the pixels that have not turned yet.

    Source: Croce et al., arXiv 2306.12941, section 3.
    """
    return -pixels.mean(pixels.margin * pixels.unturned)
