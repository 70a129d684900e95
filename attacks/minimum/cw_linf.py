"""A penalty on what exceeds a limit, and a limit that falls: Carlini and Wagner's Linf attack."""

from typing import NamedTuple, Self, Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.adam import Adam
from rgbdsod.attacks.minimum.scale import way_out
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Look, Search
from rgbdsod.attacks.space import Space
from rgbdsod.types import Inputs

_LOWER, _SHARE, _CLOSE = 0.9, 0.05, 0.01  # a kept limit is multiplied by; a step's share of it; when to stop bisecting


def cw_linf(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    rounds: int = 20,
    confidence: float = 0.0,
    **common: Unpack[Common],
) -> Result:
    """The smallest Linf change: Adam on what exceeds a limit, plus a weighted gap; the limit falls where it is kept.

    Each sample has its own limit and weight. A round ends when the sample is fooled within the limit, which then falls
    by a tenth, or after its steps. Then the weight doubles; where that did not help either, the limit was too low, and
    the next lies between it and the distance found. Rounds go on from where the last one ended. A sample leaves when
    the limits are within 1 %.

    The paper begins with a limit of 1 and a weight of 1e-5; here both follow from the first gradient.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "linf"; a change beyond the radius does not count.
        steps: the most steps of a round.
        rounds: limits and weights tried.
        confidence: by how much the gap must be overshot, 0 or more, in units of the model's outputs.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: steps, rounds or confidence out of range.

    Source: Carlini and Wagner, "Towards Evaluating the Robustness of Neural Networks", arXiv 1608.04644, section V.E.
    """
    check_counts(steps=steps, rounds=rounds)
    with Search.open(
        problem, inputs, threat, attack="cw-linf", norms=("linf",), confidence=confidence, **common
    ) as search:
        _, point, far = way_out(search, confidence)
        look = search.gradient(point)
        hunt = _Hunt.begin(look, search.space, far)
        adam = Adam.begin(point)
        for step in range(1, rounds * steps + 1):
            change = point - search.space.clean
            exceeding = change.sign() * (change.abs() > hunt.limit[:, None])
            slope = exceeding + (hunt.weight * ~look.fooled)[:, None] * look.gradient
            adam, way = adam.after(slope, hunt.age)
            hunt, ended, lost = hunt.after(look.fooled, change.abs().amax(1), search.best, steps)
            moved = search.space.clip(point - _SHARE * hunt.limit[:, None] * way)
            point, adam = torch.where(lost[:, None], search.nearest, moved), adam.fresh(ended)
            search.note(step, rounds * steps)
            done = (hunt.played >= rounds) | (search.best == 0) | hunt.closed(search.best)
            point, *rest = search.leave(done, point, *hunt, *adam)
            hunt, adam = _Hunt(*rest[: len(hunt)]), Adam(*rest[len(hunt) :])
            if not len(search) or step == rounds * steps:
                break
            look = search.gradient(point)
        return search.result(steps)


class _Hunt(NamedTuple):
    """Where each sample is in the search for its limit, all (B,).

    Args:
        limit: what a change may reach for free.
        below: the highest limit that could not be kept.
        weight: the gap's.
        first: the weight that a new limit begins with.
        age: steps made in this round.
        played: rounds behind.
    """

    limit: Tensor
    below: Tensor
    weight: Tensor
    first: Tensor
    age: Tensor
    played: Tensor

    @classmethod
    def begin(cls, look: Look, space: Space, far: Tensor) -> Self:
        """Twice a linear model's distance `far`, and twice the weight that moves an average value."""
        steep = look.gradient.abs().sum(1).clamp_min(torch.finfo(look.gradient.dtype).tiny)
        weight = 2 * (space.upper > space.lower).sum(1) / steep
        none = torch.zeros_like(weight)
        return cls((2 * far).clamp_max(1), none, weight, weight, none, none)

    def after(self, fooled: Tensor, size: Tensor, best: Tensor, steps: int) -> tuple[Self, Tensor, Tensor]:
        """What follows a step from a point of some size (B,).

        Returns:
            The state; whether a round ended, and whether the limit was given up, bool (B,).
        """
        won = fooled & (size <= 1.001 * self.limit)
        failed = ~won & (self.age + 1 >= steps)
        lost = failed & (self.weight > self.first)
        below = torch.where(lost, torch.maximum(self.below, self.limit), self.below)
        lower = torch.maximum(_LOWER * torch.minimum(self.limit, size), (below + size) / 2)
        higher = torch.where(torch.isfinite(best), (below + best) / 2, 2 * self.limit)
        weight = torch.where(failed, torch.where(lost, self.first, 2 * self.weight), self.weight)
        limit = torch.where(won, lower, torch.where(lost, higher, self.limit)).clamp_max(1)
        ended = won | failed
        age, played = torch.where(ended, 0, self.age + 1), self.played + ended
        return type(self)(limit, below, weight, self.first, age, played), ended, lost

    def closed(self, best: Tensor) -> Tensor:
        """Whether no limit between is left to try, bool (B,)."""
        above = best.clamp_max(1)
        return above - self.below < _CLOSE * above
