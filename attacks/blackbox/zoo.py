"""Coordinate descent on differences of scores: ZOO."""

from collections.abc import Mapping
from typing import Unpack, get_args

from rgbdsod.attacks.blackbox.descent import Descent, Solver, levels, shares
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.rounds import Rounds
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def zoo(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    queries: int = 10_000,
    coordinates: int = 128,
    step_size: float = 0.01,
    spread: float = 1e-4,
    weight: float = 10.0,
    rounds: int = 1,
    solver: Solver = "adam",
    hierarchy: bool = True,
    importance: bool = True,
    share: Mapping[str, float] | None = None,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 change from scores alone: symmetric differences along random coordinates, a step for each.

    What is lowered is Carlini and Wagner's: the squared change plus a weight times the gap where that is above 0. An
    image with a side above 64 is changed by noise on a grid of 32, later 64 and 128, whose coordinates are drawn by
    how much their surroundings changed. A sample whose objective stands still leaves the batch.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2"; a change beyond the radius does not count.
        queries: most forward passes per sample; the paper has 3000 (small images) or 15 000 iterations of 256.
        coordinates: in each iteration, two queries for each; one query more looks at the point.
        step_size: of a coordinate whose slopes agree; 0.002 in the paper for images of side 299.
        spread: how far the points of a pair are from the middle; 0.01 suits models in half precision.
        weight: of the gap; of the first round where there are several (the paper then has 0.01).
        rounds: weights that are tried, bisected per sample; 9 in the paper for small images.
        solver: "adam" or "newton", which also takes the curvature from the same queries.
        hierarchy: whether large images are changed on coarser grids.
        importance: whether coordinates of grids from 64 on are drawn by importance.
        share: with several attacked inputs, which share of the coordinates is drawn from each; None: equal shares.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: other norms, too few queries for an iteration, sizes out of range, shares that do not fit.

    Source: Chen et al., "ZOO: Zeroth Order Optimization based Black-box Attacks to Deep Neural Networks without
    Training Substitute Models", arXiv 1708.03999, equations 6 and 7, algorithms 1 to 3.
    """
    check_counts(rounds=rounds, coordinates=coordinates)
    _check(solver, step_size=step_size, spread=spread, weight=weight)
    iterations = (queries - 1) // (2 * coordinates + 1)
    if iterations < 1:
        raise UsageError(
            f"--queries {queries}: {coordinates} coordinates take {2 * coordinates + 2}; pass as many or more"
        )
    with Search.open(problem, inputs, threat, attack="zoo", norms=("l2",), knowledge="score", **common) as search:
        if not len(search):
            return search.result(iterations)
        descent = Descent(
            search,
            shares(search.engine.balls, share, coordinates),
            levels(search.engine.balls, hierarchy),
            spread=spread,
            step_size=step_size,
            solver=solver,
            importance=importance,
        )
        _descend(search, descent, weight, rounds, iterations)
        return search.result(iterations)


def _descend(search: Search, descent: Descent, weight: float, rounds: int, iterations: int) -> None:
    """All iterations, and a last look; samples whose rounds are over leave."""
    play = Rounds.begin(search.space.clean.new_full((len(search),), weight))
    for step in range(iterations):
        descent.refine(step / iterations)
        look = search.evaluate(descent.point)
        lowest = descent.lowest(look.gap, play.weight)
        play, ended = play.after(lowest, look.fooled, max(iterations // rounds, 1) + 1)  # the first look is no step
        descent.begin_anew(ended, look.fooled)
        gap, *rest = descent.leave((play.played >= rounds) | (search.best == 0), look.gap, *play)
        play = Rounds(*rest)
        search.note(step + 1, iterations)
        if not len(search):
            return
        descent.down(gap, play.weight, step)
    search.evaluate(descent.point)


def _check(solver: str, **sizes: float) -> None:
    if solver not in get_args(Solver):
        raise UsageError(f'no solver "{solver}"; it is one of {", ".join(get_args(Solver))}')
    for flag, size in sizes.items():
        if not size > 0:
            raise UsageError(f"--{flag.replace('_', '-')} {size:g}: pass a number above 0")
