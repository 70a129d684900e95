"""Where a rule on a whole map turns: one differentiable number per sample that is positive until it holds."""

import torch
from torch import Tensor


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
    ease = torch.where(weight > 0, margin / weight.clamp_min(1e-12), torch.inf)
    order = ease.argsort(1)
    spent = weight.gather(1, order).double().cumsum(1)
    before = torch.cat([torch.zeros_like(spent[:, :1]), spent[:, :-1]], 1)
    chosen = torch.zeros_like(weight).scatter(1, order, (before < need[:, None].double()).to(weight)) * weight
    return chosen / chosen.sum(1, keepdim=True).clamp_min(1e-12)
