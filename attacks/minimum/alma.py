"""The shortest change under constraints, by an augmented Lagrangian: ALMA, and for maps ALMA-prox."""

import math
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.adam import Adam
from rgbdsod.attacks.minimum.lagrangian import Lagrangian
from rgbdsod.attacks.minimum.scale import fallen, pace, way_out
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.attacks.space import Space
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_SHARE = 0.1  # of the distance in a first Linf step
_BISECTIONS = 30


def alma(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 200,
    force: float = 1.0,
    growth: float = 1.2,
    memory: float = 0.9,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 or Linf change under one constraint per sample, or for maps one for each pixel that must turn.

    A constraint's multiplier follows its violation; which pixels must turn is chosen anew at each step, the easiest
    that satisfy the success rule. L2: steps of Adam on the Lagrangian. Linf: such a step on the penalties alone, then
    the proximal step of the norm in the same metric, which cuts the largest changes.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2" or "linf"; a change beyond the radius does not count.
        steps: how many.
        force: how fast a penalty bends at first.
        growth: what the force is multiplied by where 10 steps did not improve a violation by 5 %.
        memory: what is kept of a multiplier at each step, from 0 up to 1.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: fewer than 1 step; a problem that does not say what must turn.

    Source: Rony et al., "Augmented Lagrangian Adversarial Attacks", arXiv 2011.11857, algorithm 1; maps: Rony et al.,
    "Proximal Splitting Adversarial Attacks for Semantic Segmentation", arXiv 2206.07179, algorithm 1.
    """
    check_counts(steps=steps)
    if not callable(getattr(problem, "demands", None)):
        raise UsageError(
            f'attack "alma" needs margins, and the problem of {problem.name} has no demands(outputs) that returns them '
            "with their shares; add it, or use an attack that needs none such as cw or bisection"
        )
    with Search.open(problem, inputs, threat, attack="alma", norms=("l2", "linf"), **common) as search:
        gap, point, far = way_out(search)
        adam = Adam.begin(point)
        lagrangian = Lagrangian(gap.abs().clamp_min(1e-12), force, growth, memory)
        step = _square if search.space.norm == "l2" else _proximal
        for at in range(steps):
            point, far, *rest = search.leave(search.best == 0, point, far, *adam, *lagrangian.state)
            adam = Adam(*rest[:2])
            lagrangian.select(rest[2:])
            if not len(search):
                break
            look = search.gradient(point, of=lambda outputs: lagrangian.total(*search.engine.problem.demands(outputs)))
            known = torch.maximum(far, search.space.length(point))
            known = torch.where(torch.isfinite(search.best), search.best, known)
            falling = fallen(known.new_full((len(search),), at / steps))
            change, adam = step(search.space, point - search.space.clean, look.gradient, adam, far, known, falling, at)
            point = search.space.clip(search.space.clean + change)
            search.note(at + 1, steps)
        search.evaluate(point)
        return search.result(steps)


def _square(
    space: Space, change: Tensor, gradient: Tensor, adam: Adam, far: Tensor, known: Tensor, falling: Tensor, age: int
) -> tuple[Tensor, Adam]:
    """A step on the squared change in units of the distance `known` by now, plus the penalties."""
    full = 2 * change / known.square()[:, None] + gradient
    adam, way = adam.after(full, far.new_full((1,), age))
    return change - way * pace(known, space, falling), adam


def _proximal(
    space: Space, change: Tensor, gradient: Tensor, adam: Adam, far: Tensor, known: Tensor, falling: Tensor, age: int
) -> tuple[Tensor, Adam]:
    """A step on the penalties, then the change that is nearest in the step's metric and short.

    The cut t balances what it saves in length against what moving back costs: the metric's sum of `|v| - t` above it is
    one over the estimated distance. The sum falls with t.
    """
    adam, way = adam.after(gradient, far.new_full((1,), age))
    length = _SHARE * (known * falling)[:, None]
    v = space.clip(space.clean + change - length * way) - space.clean
    metric = adam.root * math.sqrt(1 / (1 - 0.999 ** (age + 1))) / length.clamp_min(1e-12)
    low, high = torch.zeros_like(length), v.abs().amax(1, keepdim=True)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = (metric * (v.abs() - middle).clamp_min(0)).sum(1, keepdim=True) > 1 / far[:, None]
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return torch.clamp(v, -high, high), adam
