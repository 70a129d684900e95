"""Rounding to the grid of the file that a result is saved in, without leaving the budget."""

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.norms import ball
from rgbdsod.errors import UsageError

_SLACK = 1e-7  # in units of the input: what float32 loses of a grid value


@torch.no_grad()
def quantise(
    adversarial: Tensor, clean: Tensor, budget: Budget, levels: int | None = None, priority: Tensor | None = None
) -> Tensor:
    """The adversarial values on the grid 0, 1/levels, ..., 1, inside the budget.

    Linf: rounded, then clipped to the grid values inside the radius. Other norms: rounded, re-measured, and where that
    is outside, the values of least priority go one level back towards the clean ones until it is inside.

    Clean values are expected on the same grid, as an image file gives them. Where one is not, and no grid value lies
    inside its radius, the grid value nearest to it is taken. Values that equal the clean ones keep their bits.

    Args:
        adversarial: (B, ...) in [0, 1].
        clean: of the same shape.
        budget: what the result must stay in.
        levels: highest code, 255 for 8 bit and 65535 for 16 bit; None: the budget's.
        priority: how much a value matters, for example |gradient|, of the same shape; None: its change before rounding.

    Returns:
        Values on the grid, of `clean`'s type.

    Raises:
        UsageError: no levels.
    """
    top = levels or budget.levels
    if not top:
        raise UsageError("no grid to round to; pass levels=255 for 8 bit or levels=65535 for 16 bit")
    base = clean.double()
    home = (base * top).round()  # the clean value's own code
    if budget.norm == "linf":
        codes = _inside_bounds(adversarial.double() * top, base, home, budget, top)
    else:
        codes = (adversarial.double() * top).round().clamp_(0, top)
        weight = (adversarial - clean).abs() if priority is None else priority.abs()
        codes = _moved_back(codes, home, clean, budget, top, weight)
    rounded = (codes / top).to(clean)
    kept = (rounded - clean).abs() <= _SLACK
    if budget.mask is not None:
        kept |= budget.mask.to(clean) == 0
    return torch.where(kept, clean, rounded)


def _inside_bounds(target: Tensor, base: Tensor, home: Tensor, budget: Budget, top: int) -> Tensor:
    """Codes nearest to the target within the radius of each value."""
    limits = ball(base, budget)
    radius = limits.masked(limits.radius.expand_as(base))
    slack = _SLACK * top
    low = ((base - radius) * top - slack).ceil().clamp_(0, top)
    high = ((base + radius) * top + slack).floor().clamp_(0, top)
    return torch.where(low > high, home, torch.clamp(target.round(), low, high))


def _moved_back(codes: Tensor, home: Tensor, clean: Tensor, budget: Budget, top: int, weight: Tensor) -> Tensor:
    """One level towards home for the least important values, again and again, until each sample is inside.

    For L0 nothing is to do: a value that was clean has its home code.
    """
    if budget.norm == "l0":
        return codes
    power = 2 if budget.norm == "l2" else 1
    allowed = (ball(clean, budget).radius.double().flatten() + _SLACK) ** power
    centre, home, flat = clean.double().flatten(1), home.flatten(1), codes.flatten(1)
    order = weight.flatten(1).argsort(dim=1)

    def size(code: Tensor) -> Tensor:
        return ((code / top).to(clean).double() - centre).abs() ** power

    while bool((excess := size(flat).sum(1) - allowed).gt(0).any()):
        back = (home - flat).sign()
        gain = (size(flat) - size(flat + back)).clamp_min_(0).gather(1, order)
        chosen = (gain > 0) & (gain.cumsum(1) - gain < excess[:, None])
        if not bool(chosen.any()):
            break  # all at home, and the clean values themselves are further off the grid than the radius
        flat = flat + back * torch.zeros_like(chosen).scatter_(1, order, chosen)
    return flat.view_as(codes)
