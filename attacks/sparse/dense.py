"""The saliency map of a whole prediction: pixels of the input that remove or paint a region."""

import math
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def dense_jsma(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    theta: float = 1.0,
    per_step: float = 0.01,
    share: float = 0.145,
    **common: Unpack[Common],
) -> Result:
    """Positions that turn the region the goal names, and leave the rest of the map alone.

    A position is a pixel of one input with all its channels, or a value (`Budget.unit`). Each value is brightened or
    darkened by `theta`, whichever turns more; of several attacked inputs each step takes the best positions of all.

    Args:
        problem: maps, scores or classes; goal "hide" removes, "paint" paints, without a goal all pixels are to turn.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l0".
        theta: how far a value moves, above 0 up to 1.
        per_step: share of the allowed positions that change at a time, above 0 up to 1; at least one position.
        share: of all positions that may change where the budget is larger.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: settings outside their range.

    Source: after Papernot et al., arXiv 1511.07528, with sums over pixels in the place of class scores.
    """
    for name, value in (("theta", theta), ("per-step", per_step), ("share", share)):
        if not 0 < value <= 1:
            raise UsageError(f"--{name} {value:g} is out of range; pass a number above 0, up to 1")
    with Search.open(problem, inputs, threat, attack="jsma-dense", norms=("l0",), **common) as search:
        point = search.space.clean
        room = sum(_room(ball, share) for ball in search.engine.balls.values())
        count = max(1, round(per_step * room))
        rounds = math.ceil(room / count) * math.ceil(1 / theta)
        for step in range(rounds):
            look, rising, falling = search.sides(point)
            point, moved = _step(search, point, rising, falling, theta, count, share)
            search.note(step + 1, rounds)
            (point,) = search.leave(look.fooled | ~moved, point)
            if not len(search):
                break
        search.evaluate(point)
        return search.result(rounds)


def _step(
    search: Search, point: Tensor, rising: Tensor, falling: Tensor | None, theta: float, count: int, share: float
) -> tuple[Tensor, Tensor]:
    """The best positions of all inputs moved, and whether there were any, bool (B,)."""
    pull = rising if falling is None else rising - falling
    reach = torch.where(pull > 0, search.space.upper, search.space.lower) - point
    way = reach.clamp(-theta, theta)
    worth = search.space.split(rising * way), None if falling is None else search.space.split(falling * way)
    now, scores = search.space.split(point), []
    for name, ball in search.engine.balls.items():
        score = _worth(worth[0][name], None if worth[1] is None else worth[1][name], ball)
        scores.append(_affordable(score, now[name], ball, count, share).flatten(1))
    together = torch.cat(scores, 1)
    order = together.topk(min(count, together.shape[1]), 1)
    chosen = torch.zeros_like(together).scatter(1, order.indices, (order.values > 0).to(together))
    parts = torch.split(chosen, [score.shape[1] for score in scores], 1)
    step = {
        name: value * part.view(len(value), -1, *value.shape[2:])
        for (name, value), part in zip(search.space.split(way).items(), parts, strict=True)
    }
    return search.space.clip(point + search.space.join(step)), order.values[:, 0] > 0


def _worth(gain: Tensor, loss: Tensor | None, ball: Ball) -> Tensor:
    """What moving each position is worth, 0 or less where it does harm: (B, 1 or C, H, W)."""
    if ball.budget.unit == "pixel":
        gain, loss = gain.sum(1, keepdim=True), None if loss is None else loss.sum(1, keepdim=True)
    return gain if loss is None else torch.where((gain > 0) & (loss < 0), -gain * loss, 0.0)


def _affordable(score: Tensor, point: Tensor, ball: Ball, count: int, share: float) -> Tensor:
    """The scores of positions that the budget still allows: those changed already, and the best new ones."""
    changed = point.ne(ball.clean)
    changed = (changed.any(1, keepdim=True) if ball.budget.unit == "pixel" else changed).flatten(1)
    room = ball.radius.flatten().clamp(max=share * changed[0].numel()).floor()
    left = (room - changed.sum(1)).clamp_min(0)[:, None]
    flat = score.flatten(1)
    fresh = torch.where(changed, -torch.inf, flat)
    best = fresh.topk(min(count, fresh.shape[1]), 1)
    rank = torch.arange(best.indices.shape[1], device=flat.device)
    allowed = changed.scatter(1, best.indices, (rank < left) & torch.isfinite(best.values))
    return torch.where(allowed | changed, flat, 0.0).view_as(score)


def _room(ball: Ball, share: float) -> int:
    """How many positions of an input may change."""
    positions = ball.clean[0, 0].numel() if ball.budget.unit == "pixel" else ball.clean[0].numel()
    return int(min(float(ball.radius.max()), max(1.0, share * positions)))
