"""Where a rule on a whole map turns: one differentiable number per sample that is positive until it holds."""

import torch
from torch import Tensor

_BINS = 1024  # of a histogram, on either side of 0


def turning_point(margin: Tensor, weight: Tensor, need: Tensor) -> Tensor:
    """What the easiest pixels still lack, (B,): the mean of their margins above 0, or of all margins once they turned.

    The easiest pixels whose weights add up to `need` are chosen at each call, and constant in differentiation. Margins
    below 0 would hide the pixels still to turn in a plain mean: it crosses 0 long before the rule holds.

    Args:
        margin: per pixel, positive while there is work left, (B,N).
        weight: how much a turned pixel counts towards the rule, 0 or more, (B,N).
        need: the sum of weights at which the rule holds, (B,).
    """
    with torch.no_grad():
        share = easiest(margin, weight, need)
        left = (margin > 0) & (share > 0)
        counted = torch.where(left.any(1, keepdim=True), share * left, share)
    return (margin * counted).sum(1)


@torch.no_grad()
def easiest(margin: Tensor, weight: Tensor, need: Tensor) -> Tensor:
    """The easiest pixels whose weights add up to `need`: each one's share of their sum, (B,N), 0 for all others."""
    chosen = weight * _least(margin / weight.clamp_min(1e-12), weight, need)
    return chosen / chosen.sum(1, keepdim=True).clamp_min(1e-12)


def _least(ease: Tensor, weight: Tensor, need: Tensor) -> Tensor:
    """The pixels of least ease whose weights add up to what is needed, bool (B,N).

    Two histograms, the second inside one bin of the first, take a fifth of the time of sorting. Pixels closer to one
    another than a millionth of the largest ease are taken together, but never from both sides of 0.
    """
    ease = torch.where(weight > 0, ease, 0.0).nan_to_num_()  # a broken model is found out elsewhere
    weight, need = weight.double(), need[:, None].double()
    place = ease / ease.abs().amax(1, keepdim=True).clamp_min(torch.finfo(ease.dtype).tiny) * _BINS
    coarse = place.ceil().add_(_BINS).long()  # up to _BINS: at or below 0
    last, before = _bin(coarse, weight, need, 2 * _BINS)
    fine = ((place - (last - _BINS - 1)) * _BINS).ceil_().clamp_(0, _BINS)
    fine = torch.where(coarse == last, fine, _BINS + 1).long()
    end, _ = _bin(fine, weight, need - before, _BINS)
    return ((coarse < last) | (fine <= end)) & (need > 0)


def _bin(places: Tensor, weight: Tensor, need: Tensor, highest: int) -> tuple[Tensor, Tensor]:
    """The bin (B,1) up to which the weights reach what is needed, and their sum below it; one bin more is left out."""
    sums = weight.new_zeros(len(places), highest + 2).scatter_add_(1, places, weight)[:, :-1].cumsum(1)
    last = (sums < need).sum(1, keepdim=True).clamp_max_(highest)
    return last, torch.where(last > 0, sums.gather(1, (last - 1).clamp_min(0)), 0.0)
