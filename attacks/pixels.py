"""Objectives on maps that are sums over pixels, and the view of a prediction that all map objectives take.

An objective says how far the prediction is from a reference map. Away from the truth it is raised; towards a target map
it is lowered, and then "turned" pixels are those that already show the target.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

_TINY = 1e-12


class Reference(NamedTuple):
    """A map to move away from or towards, with what each step would otherwise derive from it again.

    Args:
        soft: (B,1,H,W) in [0, 1].
        sign: the map cut at 0.5, as -1 and +1.
        positive: the same as bool.
    """

    soft: Tensor
    sign: Tensor
    positive: Tensor

    @classmethod
    def of(cls, soft: Tensor) -> Self:
        """The reference of a map in [0, 1]."""
        positive = soft > 0.5
        return cls(soft, torch.where(positive, 1.0, -1.0).to(soft), positive)

    def like(self, logits: Tensor) -> Self:
        """The same on the logits' device, in their type."""
        return self._replace(
            soft=self.soft.to(logits), sign=self.sign.to(logits), positive=self.positive.to(logits.device)
        )


@dataclass(frozen=True, eq=False)
class Pixels:
    """One prediction beside its reference map.

    Args:
        logits: (B,1,H,W).
        reference: the map to move away from or towards, on the logits' device and in their type.
        valid: the pixels that count, (B,1,H,W) of the logits' type; None: all.
        toward: whether the reference is a target.
        progress: how much of the attack is done, 0 to 1.
    """

    logits: Tensor
    reference: Reference
    valid: Tensor | None = None
    toward: bool = False
    progress: float = 0.0

    @cached_property
    def margin(self) -> Tensor:
        """The signed logit m: positive where the pixel agrees with the reference."""
        return self.reference.sign * self.logits

    @cached_property
    def likelihood(self) -> Tensor:
        """The log-probability of the binary reference, per pixel: minus the binary cross-entropy.

        `softplus(m, beta=-1)` is `log sigmoid(m)`, in fewer passes over memory than the other ways to write it.
        """
        return softplus(self.margin, beta=-1)

    @cached_property
    def unturned(self) -> Tensor:
        """Where the attack has work left, bool."""
        return self.margin <= 0 if self.toward else self.margin > 0

    @property
    def two_sided(self) -> Tensor:
        """Whether the reference shows both object and background, bool (B,)."""
        object_, whole = self.count(self.reference.positive), self.count(torch.ones_like(self.reference.positive))
        return (object_ > 0) & (object_ < whole)

    @cached_property
    def probability(self) -> Tensor:
        """The predicted map in [0, 1]."""
        return self.logits.sigmoid()

    def total(self, values: Tensor) -> Tensor:
        """The sum (B,) over the pixels that count."""
        return (values if self.valid is None else values * self.valid).flatten(1).sum(1)

    def count(self, where: Tensor) -> Tensor:
        """How many (B,) of the pixels that count are marked in a bool map."""
        marked = where if self.valid is None else where & (self.valid > 0)
        return marked.flatten(1).count_nonzero(1)

    def mean(self, values: Tensor) -> Tensor:
        """The mean (B,) over the pixels that count."""
        if self.valid is None:
            return values.flatten(1).mean(1)
        return self.total(values) / self.valid.flatten(1).sum(1).clamp_min(1)


def bce(pixels: Pixels) -> Tensor:
    """Mean binary cross-entropy."""
    return -pixels.mean(pixels.likelihood)


def balanced_bce(pixels: Pixels) -> Tensor:
    """Binary cross-entropy, half from the object and half from the background, so that a small object counts."""
    halves = []
    for side in (pixels.reference.positive, ~pixels.reference.positive):
        count = pixels.total(side.to(pixels.logits)).clamp_min(1)
        halves.append(pixels.total(pixels.likelihood * side) / count)
    return -(halves[0] + halves[1]) / 2


def masked_bce(pixels: Pixels) -> Tensor:
    """Binary cross-entropy of the pixels that have not turned yet.

    Source: Croce et al., "Towards Reliable Evaluation and Fast Training of Robust Semantic Segmentation Models",
    arXiv 2306.12941, section 3.
    """
    return -pixels.mean(pixels.likelihood * pixels.unturned)


def segpgd(pixels: Pixels) -> Tensor:
    """Binary cross-entropy weighted 1 - lambda where the attack has work left and lambda elsewhere, lambda = t / 2T.

    Source: Gu et al., "SegPGD", arXiv 2207.12391, equations 4 and 7.
    """
    later = pixels.progress / 2
    likelihood = pixels.likelihood
    return -pixels.mean(torch.where(pixels.unturned, (1 - later) * likelihood, later * likelihood))


def cospgd(pixels: Pixels) -> Tensor:
    """Binary cross-entropy weighted by the cosine between the prediction (1-p, p) and the one-hot reference.

    The weight is a constant in differentiation; towards a target it is one minus the cosine.

    Source: Agnihotri et al., "CosPGD", arXiv 2302.02213, equations 5 and 6.
    """
    agreement = pixels.margin.detach()
    right, wrong = agreement.sigmoid(), (-agreement).sigmoid()
    cosine = right / torch.hypot(right, wrong)
    weight = 1 - cosine if pixels.toward else cosine
    return -pixels.mean(weight * pixels.likelihood)


def js(pixels: Pixels) -> Tensor:
    """Jensen-Shannon divergence of (q, 1-q) and (1, 0), q the probability of the reference; in [0, log 2].

    Its slope vanishes for pixels that are lost already.

    Source: Croce et al., arXiv 2306.12941, equation 5.
    """
    right = pixels.margin.sigmoid()
    divergence = right * pixels.likelihood - (1 + right) * right.log1p() + 2 * math.log(2)
    return pixels.mean(divergence) / 2


def margin(pixels: Pixels) -> Tensor:
    """Minus the mean signed logit."""
    return -pixels.mean(pixels.margin)


def masked_margin(pixels: Pixels) -> Tensor:
    """Minus the signed logit of the pixels that have not turned yet.

    Source: Croce et al., arXiv 2306.12941, section 3.
    """
    return -pixels.mean(pixels.margin * pixels.unturned)


def dlr_threshold(pixels: Pixels) -> Tensor:
    """Minus the mean signed logit, over the logits' root mean square: blind to a positive scaling of the logits.

    The dense counterpart of the difference of logits ratio, for measures that cut the map at 0.5.
    """
    return -pixels.mean(pixels.margin) / pixels.mean(pixels.logits.square()).clamp_min(_TINY).sqrt()


def dlr_rank(pixels: Pixels) -> Tensor:
    """The same of logits without their mean: blind to a shift as well, for measures that stretch each map to [0, 1].

    Where the reference has no object or nothing else, no shift can be told from an attack, and the mean stays.
    """
    mean = torch.where(pixels.two_sided, pixels.mean(pixels.logits), 0.0)
    centred = pixels.logits - mean.view(-1, 1, 1, 1)
    spread = pixels.mean(centred.square()).clamp_min(_TINY).sqrt()
    return -pixels.mean(pixels.reference.sign * centred) / spread
