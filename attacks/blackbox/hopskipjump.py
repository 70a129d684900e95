"""Along the line between fooled and not, by decisions alone: HopSkipJump."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.decisions import decide
from rgbdsod.attacks.blackbox.frontier import bisections, to_frontier
from rgbdsod.attacks.blackbox.starts import first_points
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.norms import unit
from rgbdsod.attacks.probes import Probes, all_of
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs

_HALVINGS = 12  # of a step, before a sample stays where it is
_PIECE = 32  # probes of each sample that are made at once
_FEWEST = 8  # probes that are worth a step


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
        if len(search) and queries - _spent(search) >= bisections(search):
            points = to_frontier(search, points)
        step = 0
        while len(search):
            step += 1
            room = queries - _spent(search) - _HALVINGS - bisections(search)
            search.note(min(_spent(search), queries), queries)
            if room < _FEWEST:
                break
            way = _normal(search, points, min(int(draws * step**0.5), room), step)
            points = to_frontier(search, _stepped(search, points, way, step))
        return search.result(step)


def _spent(search: Search) -> int:
    """The most queries that any sample has spent."""
    return int(search.engine.passes()[0].max())


def _normal(search: Search, points: Tensor, count: int, step: int) -> Tensor:
    """Which way leads into the fooled side: the mean of random directions, each with the sign of its verdict.

    Source: Chen et al., arXiv 1904.02144, equations 10, 12 and 16.
    """
    streams, probes = search.streams("probes", step), Probes(search.engine)
    free, size = search.space.upper > search.space.lower, points.shape[1]
    finest = 4 * torch.finfo(points.dtype).eps * size**0.5  # what the numbers can still tell apart
    reach = (search.space.length(points) / size).clamp_min(finest)[:, None]
    verdicts, ways, signed = [], torch.zeros_like(points), torch.zeros_like(points)
    for done in range(0, count, _PIECE):
        piece = min(_PIECE, count - done)
        noise = torch.stack([unit(streams.normal(points) * free, 2) for _ in range(piece)], 1)
        lower, upper = search.space.lower[:, None], search.space.upper[:, None]
        there = torch.clamp(points[:, None] + reach[:, None] * noise, lower, upper)
        fooled = probes.decisions(all_of(search.space.split(there)), piece)
        moved = (there - points[:, None]) / reach[:, None]
        ways += moved.sum(1)
        signed += torch.einsum("bn,bnd->bd", 2 * fooled.to(moved) - 1, moved)
        verdicts.append(fooled)
    mean = 2 * torch.cat(verdicts, 1).to(points).mean(1, keepdim=True) - 1
    # the mean is taken off to lessen the variance, except where all agree and nothing would be left
    way = torch.where(mean.abs() == 1, signed, signed - mean * ways)
    return way.sign() if search.space.norm == "linf" else unit(way, 2)


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
