"""Two values at a time, chosen by a saliency map of the scores: JSMA."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def jsma(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    theta: float = 1.0,
    share: float = 0.145,
    candidates: int = 512,
    **common: Unpack[Common],
) -> Result:
    """Pairs of values that raise the wanted score and lower the sum of all others, until the sample is fooled.

    Every value can be changed until it reaches the end of the box. Only the best `candidates` values by either score
    are paired: all pairs of a 224 x 224 image would fill 84 GiB.

    Args:
        problem: class scores; without a target the strongest other class is wanted.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l0"; a change of more positions does not count.
        theta: what is added to a value; below 0 it is darkened.
        share: of all values that may change at most, above 0 up to 1.
        candidates: how many values are paired.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a theta of 0, a share outside 0 to 1, fewer than 2 candidates, or a problem without class scores.

    Source: Papernot et al., "The Limitations of Deep Learning in Adversarial Settings", arXiv 1511.07528, algorithm 2.
    """
    if not 0 < abs(theta) <= 1:
        raise UsageError(f"--theta {theta:g} changes nothing or leaves [0, 1]; pass a number up to 1 or down to -1")
    if not 0 < share <= 1:
        raise UsageError(f"--share {share:g} is no part of the values; pass a number above 0, up to 1")
    if candidates < 2:
        raise UsageError(f"--candidates {candidates} makes no pair; pass 2 or more")
    with Search.open(problem, inputs, threat, attack="jsma", norms=("l0",), **common) as search:
        point = search.space.clean
        rounds = int(share * point.shape[1]) // 2
        for step in range(rounds):
            look, rising, falling = search.sides(point)
            if falling is None:
                raise UsageError(f'{problem.name} has no class scores; use attack "jsma-dense"')
            sign = 1.0 if theta > 0 else -1.0
            pair, found = best_pair(sign * rising, sign * falling, _movable(search, point, theta), candidates)
            step_up = torch.zeros_like(point).scatter(1, pair, theta) * found[:, None]
            point = search.space.clip(point + step_up)
            search.note(step + 1, rounds)
            (point,) = search.leave(look.fooled | ~found, point)
            if not len(search):
                break
        search.evaluate(point)
        return search.result(rounds)


def best_pair(rising: Tensor, falling: Tensor, movable: Tensor, candidates: int) -> tuple[Tensor, Tensor]:
    """The pair with the largest product of what it raises and what it lowers.

    Args:
        rising: how the wanted score answers to each value, (B, D).
        falling: how all others do, (B, D).
        movable: which values can still change, bool (B, D).
        candidates: how many of the best values, by either score, are paired.

    Returns:
        Two places per sample (B, 2), and whether there is a pair that does both, bool (B,).
    """
    half = max(1, min(candidates, rising.shape[1]) // 2)
    lists = [torch.where(movable, score, -torch.inf).topk(half, 1).indices for score in (rising, -falling)]
    places = torch.cat(lists, 1)
    up, down = rising.gather(1, places), falling.gather(1, places)
    both_up, both_down = up[:, :, None] + up[:, None], down[:, :, None] + down[:, None]
    usable = movable.gather(1, places)
    allowed = usable[:, :, None] & usable[:, None] & (places[:, :, None] != places[:, None])
    product = torch.where(allowed & (both_up > 0) & (both_down < 0), -both_up * both_down, 0.0).flatten(1)
    best, at = product.max(1)
    count = places.shape[1]
    return places.gather(1, torch.stack([at // count, at % count], 1)), best > 0


def _movable(search: Search, point: Tensor, theta: float) -> Tensor:
    return point < search.space.upper if theta > 0 else point > search.space.lower
