"""Along the line between fooled and not, by decisions alone: HopSkipJump."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.decisions import decide, decide_each, left
from rgbdsod.attacks.blackbox.frontier import bisections, to_frontier
from rgbdsod.attacks.blackbox.starts import first_points
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.norms import unit
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs

_HALVINGS = 12  # of a step, before a sample stays where it is
_PIECE = 32  # probes of each sample that are made at once, and the fewest that are worth a step


def hopskipjump(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    queries: int = 1000,
    draws: int = 100,
    start: Inputs | None = None,
    **common: Unpack[Common],
) -> Result:
    """The smallest change, by decisions alone: find the line to the clean input, feel which way it runs, step, repeat.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf or L2; a change beyond the radius does not count.
        queries: most forward passes per sample; up to 25 000 in the paper.
        draws: probes of the first iteration; times the root of its number in later ones.
        start: values of the attacked inputs that fool, to begin from; None, or where they do not: uniform noise.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: other norms, no queries or draws, a start that does not fit.

    Source: Chen et al., "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", arXiv 1904.02144, algorithm 2.
    """
    check_counts(queries=queries, draws=draws)
    with Search.open(
        problem, inputs, threat, attack="hopskipjump", norms=("l2", "linf"), knowledge="decision", **common
    ) as search:
        points = first_points(search, start, queries)
        (points,) = search.leave(left(search, queries) < bisections(search), points, at_once=True)
        points, step = to_frontier(search, points), 0
        while len(search):
            step += 1
            room = left(search, queries) - _HALVINGS - bisections(search)
            search.note(queries - int(room.amax().clamp_min(0)), queries)
            points, room = search.leave(room < _PIECE, points, room, at_once=True)
            if len(search):
                way = _normal(search, points, int(draws * step**0.5), room, step)
                points = to_frontier(search, _stepped(search, points, way, step))
        return search.result(step)


def _normal(search: Search, points: Tensor, count: int, room: Tensor, step: int) -> Tensor:
    """Which way leads into the fooled side: the mean of random directions, each with the sign of its verdict.

    Args:
        search: at work.
        points: on the line, (B, D).
        count: probes of each sample.
        room: how many it can afford, (B,).
        step: which iteration.

    Source: Chen et al., arXiv 1904.02144, the estimate with its baseline taken off.
    """
    streams, space, size = search.streams("probes", step), search.space, points.shape[1]
    finest = 4 * torch.finfo(points.dtype).eps * size**0.5  # what the numbers can still tell apart
    reach = (space.length(points) / size).clamp_min(finest)[:, None, None]
    asked, agreed = points.new_zeros(len(points), 1), points.new_zeros(len(points), 1)
    ways, signed = torch.zeros_like(points), torch.zeros_like(points)
    for done in range(0, count, _PIECE):
        piece = min(_PIECE, count - done)
        noise = torch.stack([unit(streams.normal(points) * (space.upper > space.lower), 2) for _ in range(piece)], 1)
        there = torch.clamp(points[:, None] + reach * noise, space.lower[:, None], space.upper[:, None])
        among = room >= done + piece
        verdict = (2 * decide_each(search, there, among).to(points) - 1) * among[:, None]
        moved = (there - points[:, None]) / reach * among[:, None, None]
        ways, signed = ways + moved.sum(1), signed + torch.einsum("bn,bnd->bd", verdict, moved)
        asked, agreed = asked + piece * among[:, None], agreed + verdict.sum(1, keepdim=True)
    mean = agreed / asked.clamp_min(1)
    # the mean is taken off to lessen the variance, except where all agree and nothing would be left
    way = torch.where(mean.abs() == 1, signed, signed - mean * ways)
    return way.sign() if space.norm == "linf" else unit(way, 2)


def _stepped(search: Search, points: Tensor, way: Tensor, step: int) -> Tensor:
    """As far along the way as the distance over the root of the step's number, halved until it fools."""
    size = (search.space.length(points) / step**0.5)[:, None]
    moving = torch.ones_like(search.rows, dtype=torch.bool)
    for _ in range(_HALVINGS):
        if not bool(moving.any()):
            break
        there = search.space.clip(points + size * way)
        fooled = decide(search, there, among=moving)
        points = torch.where(fooled[:, None], there, points)
        moving, size = moving & ~fooled, size / 2
    return points
