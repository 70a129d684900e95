"""A penalty on the gap that grows until it is closed and then eases: hinge-constrained optimisation."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.adam import Adam
from rgbdsod.attacks.minimum.scale import fallen, first_weight, pace, penalised, way_out
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs

_PATIENCE, _HARDER, _SOFTER = 10, 2.0, 0.9  # steps of one kind in a row, and what the weight is multiplied by then


def hinge(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 200,
    step_size: float | None = None,
    weight: float | None = None,
    confidence: float = 0.0,
    acceptable: float = 0.0,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 change in one run: Adam on its square plus a weighted gap, the weight adapted on the way.

    Each sample has its own weight: twice as much after 10 steps in a row that did not fool, 0.9 times as much after 10
    that did. There is no change of variables, so values of 0 and 1 can move.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2"; a change beyond the radius does not count.
        steps: how many.
        step_size: Adam's, per value. None: 0.3 times the estimated distance, later the one found, over the root of the
            number of values; it falls to a hundredth along a cosine.
        weight: the gap's at the start. None: four times what a linear model would need.
        confidence: by how much the gap must be overshot, 0 or more, in units of the model's outputs.
        acceptable: a change up to this length costs nothing: a sample fooled by one is done and leaves the batch.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: steps or confidence out of range.

    Source: penalty by a hinge as in Carlini and Wagner, arXiv 1608.04644, section V.A, its weight as in Rony et al.,
    arXiv 2011.11857, section 3, without their multipliers.
    """
    check_counts(steps=steps)
    with Search.open(problem, inputs, threat, attack="hinge", norms=("l2",), confidence=confidence, **common) as search:
        _, point, far = way_out(search, confidence)
        look = search.gradient(point)
        force = first_weight(look, far) if weight is None else torch.full_like(far, weight)
        adam, streak = Adam.begin(point), torch.zeros_like(far)
        for step in range(1, steps + 1):
            change = point - search.space.clean
            _, slope = penalised(look, change, force, confidence)
            cheap = search.space.length(point) <= acceptable
            adam, way = adam.after(
                torch.where(cheap[:, None], slope - 2 * change, slope), streak.new_tensor([step - 1])
            )
            distance = torch.where(torch.isfinite(search.best), search.best, far)
            size = pace(distance, search.space, fallen(streak.new_tensor(step / steps)))
            point = search.space.clip(point - way * (size if step_size is None else step_size))
            streak, factor = _adapted(streak, look.fooled)
            force, far = force * factor, far * factor.clamp_min(1)
            search.note(step, steps)
            done = (search.best == 0) | (search.best <= acceptable)
            point, far, force, streak, *rest = search.leave(done, point, far, force, streak, *adam)
            adam = Adam(*rest)
            if not len(search) or step == steps:
                break
            look = search.gradient(point)
        return search.result(steps)


def _adapted(streak: Tensor, fooled: Tensor) -> tuple[Tensor, Tensor]:
    """Steps of one kind in a row, counted upwards where they fool and downwards else; and the weight's factor, (B,)."""
    streak = torch.where(fooled, streak.clamp_min(0) + 1, streak.clamp_max(0) - 1)
    over = streak.abs() >= _PATIENCE
    factor = torch.where(over, torch.where(fooled, _SOFTER, _HARDER), 1.0)
    return streak.masked_fill(over, 0), factor.to(streak)
