"""The radius of a fixed-budget attack, bisected: a cross-check of all attacks that look for the smallest change."""

from typing import NamedTuple, Self, Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.inward import inward
from rgbdsod.attacks.minimum.scale import way_out
from rgbdsod.attacks.norms import L1_SHARE, unit
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.projections import largest
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.attacks.space import Space
from rgbdsod.types import Inputs

_STEP, _CLOSE = 0.25, 1.005  # of the radius; high over low at which a search ends


def bisection(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    rounds: int = 10,
    **common: Unpack[Common],
) -> Result:
    """The smallest radius at which projected gradient steps on the problem's loss fool.

    Each sample has its own radius: first twice a linear model's distance, then twice as much until it is fooled, then
    the geometric middle between the largest that failed and the distance found. A round ends when the sample is fooled,
    or after its steps, and the next goes on from there. A sample leaves when its bounds are within 0.5 %.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, of any norm; a change beyond the radius is not tried.
        steps: the most steps at one radius.
        rounds: radii tried.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: steps or rounds out of range.

    Source: steps as in Madry et al., arXiv 1706.06083, at radii as in Carlini et al., arXiv 1902.06705, section 4.3.
    """
    check_counts(steps=steps, rounds=rounds)
    with Search.open(problem, inputs, threat, attack="bisection", **common) as search:
        _, point, far = way_out(search)
        bounded = [name for name, ball in search.engine.balls.items() if bool(torch.isfinite(ball.radius).any())]
        bracket = _Bracket.begin(far, _most(search.space, len(threat)))
        for step in range(1, rounds * steps + 1):
            if not len(search):
                break
            look = search.gradient(point, of="loss")
            moved = point - _way(search.space, look.gradient, point, bracket.radius)
            bracket = bracket.after(search.best, steps, whole=search.space.norm == "l0")
            point = _inside(search, moved, bracket.radius, bounded)
            search.note(step, rounds * steps)
            done = (bracket.played >= rounds) | bracket.closed | (search.best == 0)
            point, *rest = search.leave(done, point, *bracket)
            bracket = _Bracket(*rest)
        search.evaluate(point)
        return search.result(steps)


class _Bracket(NamedTuple):
    """Each sample's bounds, all (B,).

    Args:
        radius: now tried.
        low: the largest that failed.
        high: the distance found, infinite before.
        most: the largest that makes sense.
        age: steps made at this radius.
        played: radii behind.
        closed: whether nothing is left to try, bool.
    """

    radius: Tensor
    low: Tensor
    high: Tensor
    most: Tensor
    age: Tensor
    played: Tensor
    closed: Tensor

    @classmethod
    def begin(cls, far: Tensor, most: Tensor) -> Self:
        """Twice the estimated distance."""
        none = torch.zeros_like(far)
        return cls(torch.minimum(2 * far, most), none, none + torch.inf, most, none, none, none.bool())

    def after(self, best: Tensor, steps: int, *, whole: bool) -> Self:
        """What follows a look: `best` is the distance found so far; `whole` radii are numbers of positions."""
        won, failed = best < self.high, self.age + 1 >= steps
        low = torch.where(failed & ~won, self.radius, self.low)
        middle = torch.where(low > 0, (low * best).sqrt(), best / 2)
        middle = middle.floor().clamp_min(1) if whole else middle
        radius = torch.where(torch.isfinite(best), middle, torch.minimum(2 * self.radius, self.most))
        ended = won | failed
        stuck = failed & ~won & (self.radius >= self.most)
        near = best - low <= 1 if whole else best <= _CLOSE * low
        return type(self)(
            torch.where(ended, radius, self.radius),
            torch.minimum(low, best),
            best,
            self.most,
            torch.where(ended, 0, self.age + 1),
            self.played + ended,
            self.closed | stuck | near,
        )


def _most(space: Space, inputs: int) -> Tensor:
    """The length (B,) to the farthest corner of the box, or of all radii together where that is less."""
    corner = torch.where(space.upper - space.clean > space.clean - space.lower, space.upper, space.lower)
    return torch.minimum(space.length(corner), inputs * space.reach)


def _inside(search: Search, vectors: Tensor, radius: Tensor, bounded: list[str]) -> Tensor:
    """The vectors inside a radius (B,), the box, and the budgets of the inputs that have a finite one."""
    space = search.space
    near = space.clip(space.clean + inward(space, vectors - space.clean, radius))
    if not bounded:
        return near
    points = space.split(near)
    points |= {name: search.engine.balls[name].project(points[name]) for name in bounded}
    return space.clip(space.join(points))


def _way(space: Space, slope: Tensor, point: Tensor, radius: Tensor) -> Tensor:
    """The norm's step up the slope, a quarter of the radius (B,) long; L0 goes as far as the box lets it."""
    if space.norm == "l0":
        return unit(slope, 1) * slope.shape[1]
    size = _STEP * radius[:, None]
    if space.norm == "linf":
        return slope.sign() * size
    if space.norm == "l2":
        return unit(slope, 2) * size
    movable = torch.where(slope > 0, point > space.lower, point < space.upper)
    count = max(1, round(L1_SHARE * slope.shape[1]))
    score = slope.abs() * movable
    return slope.sign() * (largest(score, count, count) & (score > 0)) * size / count
