"""Box-constrained L-BFGS on the squared change plus the weighted loss: the first attack of all."""

from typing import Any, NamedTuple, Self, Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.curvature import Curvature
from rgbdsod.attacks.minimum.rounds import Rounds
from rgbdsod.attacks.minimum.scale import first_weight, way_out
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.attacks.space import Space
from rgbdsod.types import Inputs

_ENOUGH = 1e-4  # share of the linear decrease that a step must bring (Armijo)


def lbfgs(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 50,
    rounds: int = 10,
    weight: float | None = None,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 change by a quasi-Newton method on its square plus a weighted loss, the weight bisected.

    Each sample has its own curvature, step length (halved until the objective falls) and weight, and begins its next
    round as soon as its last one ends or stops to improve. Slopes that lead out of the box are left out.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2"; a change beyond the radius does not count.
        steps: the most points tried in a round.
        rounds: weights tried.
        weight: the loss's in the first round. None: four times what a linear model would need.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: steps or rounds out of range.

    Source: Szegedy et al., "Intriguing properties of neural networks", arXiv 1312.6199, section 4.1.
    """
    check_counts(steps=steps, rounds=rounds)
    with Search.open(problem, inputs, threat, attack="lbfgs", norms=("l2",), **common) as search:
        _, start, far = way_out(search)
        tried, play, walk, memory = start, None, _Walk.begin(start), Curvature.begin(start)
        for step in range(1, rounds * steps + 1):
            if not len(search):
                break
            objective = _Loss(search.engine.problem)
            look = search.gradient(tried, of=objective)
            if play is None:
                play = Rounds.begin(first_weight(look, far) if weight is None else torch.full_like(far, weight))
            change = tried - search.space.clean
            value = change.square().sum(1) + play.weight * objective.value
            walk, memory = walk.after(tried, value, 2 * change + play.weight[:, None] * look.gradient, memory)
            play, ended = play.after(walk.value, look.fooled, steps)
            memory, walk = memory.fresh(ended), walk.anew(ended)
            tried = torch.where(ended[:, None], start, walk.next(search.space, memory, far))
            search.note(step, rounds * steps)
            done = (play.played >= rounds) | (search.best == 0)
            tried, start, far, *rest = search.leave(done, tried, start, far, *walk, *memory, *play)
            cut = len(walk), len(walk) + len(memory)
            walk, memory, play = _Walk(*rest[: cut[0]]), Curvature(*rest[cut[0] : cut[1]]), Rounds(*rest[cut[1] :])
        return search.result(steps)


class _Loss:
    """Minus the problem's loss, whose value is kept."""

    value: Tensor

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def __call__(self, outputs: Any) -> Tensor:
        loss = -self._problem.loss(outputs)
        self.value = loss.detach()
        return loss


class _Walk(NamedTuple):
    """Where each sample stands in its round.

    Args:
        point: the last that lowered the objective, (B, D).
        value: of the objective there, infinite before the first, (B,).
        slope: of the objective there, (B, D).
        length: of the step now tried, as a share of the quasi-Newton step, (B,).
    """

    point: Tensor
    value: Tensor
    slope: Tensor
    length: Tensor

    @classmethod
    def begin(cls, start: Tensor) -> Self:
        """Nothing seen yet."""
        return cls(start, start.new_full((len(start),), torch.inf), torch.zeros_like(start), start.new_ones(len(start)))

    def after(self, tried: Tensor, value: Tensor, slope: Tensor, memory: Curvature) -> tuple[Self, Curvature]:
        """What follows a look at the points tried: those that lower the objective enough are gone to."""
        step = tried - self.point
        gone = value <= self.value + _ENOUGH * (self.slope * step).sum(1)
        memory = memory.after(step, slope - self.slope, gone & torch.isfinite(self.value))
        wide = gone[:, None]
        walk = type(self)(
            torch.where(wide, tried, self.point),
            torch.where(gone, value, self.value),
            torch.where(wide, slope, self.slope),
            torch.where(gone, 1.0, self.length / 2),
        )
        return walk, memory

    def anew(self, where: Tensor) -> Self:
        """Some samples begin a new round, bool (B,)."""
        return self._replace(value=self.value.masked_fill(where, torch.inf), length=self.length.masked_fill(where, 1.0))

    def next(self, space: Space, memory: Curvature, far: Tensor) -> Tensor:
        """The points to be tried next."""
        out = ((self.point <= space.lower) & (self.slope > 0)) | ((self.point >= space.upper) & (self.slope < 0))
        slope = self.slope.masked_fill(out, 0)
        tiny = torch.finfo(slope.dtype).tiny
        first = torch.minimum(far / slope.norm(dim=1).clamp_min(tiny), torch.full_like(far, 0.5))
        way = memory.way(slope, first).masked_fill(out, 0)
        uphill = (way * slope).sum(1) >= 0
        way = torch.where(uphill[:, None], -first[:, None] * slope, way)
        return space.clip(self.point + self.length[:, None] * way)
