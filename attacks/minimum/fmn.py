"""A radius that closes in on the turning point, the nearest point inside it: FMN."""

import math
from typing import Unpack

import torch
from torch import Tensor
from torch.linalg import vector_norm

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts, check_numbers
from rgbdsod.attacks.minimum.inward import inward
from rgbdsod.attacks.minimum.nearest import DUAL, way_past
from rgbdsod.attacks.norms import unit
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Look, Search
from rgbdsod.types import Inputs

_LAST_DECAY, _LAST_STEP = 1e-4, 0.01  # what decay falls to, and to which share of itself the step size does
_STEP = {"linf": 1.0, "l2": 0.3, "l1": 1.0, "l0": 1.0}
_SEARCH = 5.0  # by how much faster than that positions are added before the first success


def fmn(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    step_size: float | None = None,
    decay: float = 0.05,
    **common: Unpack[Common],
) -> Result:
    """Gradient steps inside a radius that shrinks while the sample is fooled and grows while it is not.

    Until the first success the radius follows the linear distance to the turning point.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input; a change beyond the radius does not count.
        steps: how many; the paper takes up to 1000.
        step_size: the L2 length of the first steps as a share of that of the change so far; None: 1, for L2 0.3. It
            falls to a hundredth. The paper takes the length 1, which suits images of CIFAR-10's size, but far exceeds
            the smallest change of large ones: then each step forgets all before it.
        decay: by which share the radius changes in the first step; it falls to 1e-4.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a setting out of its range; inputs or threat that do not fit the problem or the attack.

    Source: Pintor et al., "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints", arXiv 2102.12827,
    algorithm 1.
    """
    check_counts(steps=steps)
    check_numbers(step_size=step_size)
    check_numbers(below=1, decay=decay)
    with Search.open(problem, inputs, threat, attack="fmn", **common) as search:
        delta = torch.zeros_like(search.space.clean)
        radius = torch.zeros_like(search.best)
        first = step_size or _STEP[search.space.norm]
        for step in range(steps):
            if step == 1:  # who was fooled from the start is done
                delta, radius = search.leave(search.best == 0, delta, radius)
            clean = search.space.clean
            look = search.gradient(clean + delta)
            radius = _radius(search, look, radius, delta, _falling(decay, _LAST_DECAY, step, steps), decay)
            length = vector_norm(delta, dim=1, keepdim=True) if step else math.sqrt(delta.shape[1])
            size = _falling(first, _LAST_STEP * first, step, steps) * length
            delta = inward(search.space, delta - size * unit(look.gradient, 2), radius)
            delta = search.space.clip(clean + delta) - clean
            search.note(step + 1, steps)
        search.evaluate(search.space.clean + delta)
        return search.result(steps)


def _radius(search: Search, look: Look, radius: Tensor, delta: Tensor, change: float, decay: float) -> Tensor:
    """The next radius (B,), by a share of it: `change`, and before the first success `decay`."""
    space, best = search.space, search.best
    found = best < torch.inf
    if space.norm == "l0":
        fewer = torch.minimum(torch.minimum(radius - 1, (radius * (1 - change)).floor()), best)
        more = torch.maximum(radius + 1, (radius * (1 + torch.where(found, change, _SEARCH * decay))).floor())
        return torch.where(look.fooled, fewer, more).clamp_min(0)
    grown = radius * (1 + torch.where(found, change, decay))
    steep = vector_norm(look.gradient, DUAL[space.norm], dim=1)
    linear = space.length(space.clean + delta) + way_past(look.gap, steep)
    # the linear distance alone comes ever closer and need not arrive
    missed = torch.where(found, grown, torch.maximum(grown, linear))
    return torch.where(look.fooled, torch.minimum(radius * (1 - change), best), missed)


def _falling(first: float, last: float, step: int, steps: int) -> float:
    """From the first value to the last, along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2
