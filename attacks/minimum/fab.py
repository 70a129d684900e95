"""Close to the clean input along the planes of the linearised model: FAB."""

from collections.abc import Iterator
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts, check_numbers
from rgbdsod.attacks.minimum.nearest import PAST, nearest_exit
from rgbdsod.attacks.minimum.planes import plane_step
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs

_HOME = 0.1  # the most that the clean input's own way to the plane counts
_FADE = 0.8  # what is left of that after a miss
_BACK = 0.9  # of the change that is kept after a success
_EXITS = 10  # to choose the nearest from
_SECANTS, _BEHIND = 3, 1.001  # a point exactly where the line turns would fool as often as not


def fab(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    restarts: int = 1,
    rivals: int | None = None,
    overshoot: float = 0.05,
    **common: Unpack[Common],
) -> Result:
    """Steps to the plane where the model turns, drawn to that plane's point nearest to the clean input.

    Both steps respect the box. After a success the change shrinks by a tenth, and in the end the best is drawn towards
    the clean input as far as the model allows.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "linf", "l2" or "l1"; a change beyond the radius does not count.
        steps: how many in each run.
        restarts: runs from different starts: the clean input, then random points half as far as the best so far.
        rivals: None: to the nearest way out of all, chosen anew in each step. A number: one run to each of so many ways
            out (classes), those with the smallest margins at the clean input, for one backward pass a step.
        overshoot: by which share each step is lengthened.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a setting out of its range; inputs or threat that do not fit the problem or the attack.

    Source: Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", arXiv
    1907.02044, algorithm 1; rivals: arXiv 2003.01690, section 4.
    """
    check_counts(steps=steps, restarts=restarts, rivals=1 if rivals is None else rivals)
    check_numbers(zero=True, overshoot=overshoot)
    with Search.open(problem, inputs, threat, attack="fab", norms=("linf", "l2", "l1"), **common) as search:
        look, ways = search.ways(search.space.clean)
        order, gap = search.leave(look.fooled, ways.values.argsort(1), look.gap)
        count = min(rivals or 0, int(torch.isfinite(ways.values[:1]).sum()))  # the true class itself is no way out
        runs = order[:, :count].unbind(1) or (None,)
        for run in range(restarts * len(runs) if len(search) else 0):
            start, which = _start(search, run // len(runs)), runs[run % len(runs)]
            for step in _walk(search, start, steps, overshoot, which):
                search.note(run * steps + step, restarts * len(runs) * steps)
        _secants(search, gap)
        return search.result(steps)


def _start(search: Search, restart: int) -> Tensor:
    """The clean vectors, or random ones half as far from them as the nearest that fooled."""
    space = search.space
    if not restart:
        return space.clean
    noise = search.streams("start", restart).normal(space.clean)
    size = torch.minimum(search.best, space.reach) / 2
    return space.clip(space.clean + noise * (size / space.length(space.clean + noise))[:, None])


def _walk(search: Search, points: Tensor, steps: int, overshoot: float, which: Tensor | None) -> Iterator[int]:
    """One run; says which step is done.

    The pass that sees a success is also the next linearisation: its plane holds for the point drawn back, too. The pull
    home fades with each step that misses, until the next success: on a model that bends strongly it would otherwise
    undo each step.
    """
    space, most = search.space, points.new_full((len(points),), _HOME)
    for step in range(1, steps + 1):
        look, value, slope, steep = nearest_exit(search, points, _EXITS, which)
        most = torch.where(look.fooled, _HOME, _FADE * most)
        back = torch.where(look.fooled[:, None], space.clean + _BACK * (points - space.clean), points)
        value = value + PAST * steep
        at_clean = value + (slope * (space.clean - points)).sum(1)
        at_back = value + (slope * (back - points)).sum(1)
        near = plane_step(back, slope, at_back, space.lower, space.upper, space.norm)
        home = plane_step(space.clean, slope, at_clean, space.lower, space.upper, space.norm)
        size, size_home = space.length(space.clean + near), space.length(space.clean + home)
        share = torch.minimum(size / (size + size_home).clamp_min(1e-12), most)[:, None]
        onward = (1 - share) * (back + (1 + overshoot) * near) + share * (space.clean + (1 + overshoot) * home)
        points = space.clip(onward)
        yield step
    search.evaluate(points)


def _secants(search: Search, gap: Tensor) -> None:
    """The nearest points that fooled, drawn home to where the straight line between two gaps turns.

    Args:
        search: what looks.
        gap: that of the clean vectors, (B,).
    """
    low, high = search.space.clean, search.nearest
    above, below = gap, search.evaluate(high).gap
    for _ in range(_SECANTS):
        share = (_BEHIND * above / (above - below).clamp_min(1e-12)).clamp(0, 1)[:, None]
        middle = torch.lerp(low, high, share)
        look = search.evaluate(middle)
        low, above = torch.where(look.fooled[:, None], low, middle), torch.where(look.fooled, above, look.gap)
        high, below = torch.where(look.fooled[:, None], middle, high), torch.where(look.fooled, look.gap, below)
