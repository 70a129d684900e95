"""A random walk along the line between fooled and not: the boundary attack."""

from typing import NamedTuple, Self, Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.decisions import decide, left
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

_SIDEWAYS, _INWARDS = 0.01, 0.01  # first steps, as shares of the distance
_PATIENCE, _FACTOR = 10, 1.5  # proposals after which a step's length is adapted, and by how much


def boundary(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    queries: int = 1000,
    start: Inputs | None = None,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 change, by decisions alone: a random step at equal distance, then one towards the clean input.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2"; a change beyond the radius does not count.
        queries: most forward passes per sample; the paper spends some 100 000 and more.
        start: values of the attacked inputs that fool, to begin from; None, or where they do not: uniform noise.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: other norms, no queries, a start that does not fit.

    Source: Brendel et al., "Decision-Based Adversarial Attacks", arXiv 1712.04248, algorithm 1.
    """
    check_counts(queries=queries)
    with Search.open(
        problem, inputs, threat, attack="boundary", norms=("l2",), knowledge="decision", **common
    ) as search:
        points = first_points(search, start, queries)
        (points,) = search.leave(left(search, queries) < bisections(search), points, at_once=True)
        points = to_frontier(search, points)
        room, step = left(search, queries), 0
        points, room = search.leave(room < 2, points, room, at_once=True)
        pace = _Pace.begin(points)
        while len(search):
            step += 1
            beside = _beside(search, points, pace.sideways, step)
            nearer = search.space.clip(torch.lerp(beside, search.space.clean, pace.inwards[:, None]))
            kept = decide(search, beside)
            fooled = decide(search, nearer, among=kept)
            points, room = torch.where(fooled[:, None], nearer, points), room - 1 - kept.to(room)
            search.note(min(2 * step, queries), queries)
            points, room, *rest = search.leave(room < 2, points, room, *pace.after(kept, fooled), at_once=True)
            pace = _Pace(*rest)
        return search.result(step)


class _Pace(NamedTuple):
    """How long a sample's steps are, and how they fared lately.

    Args:
        sideways: share of the distance of the first step, (B,).
        inwards: of the second, (B,).
        tried: proposals since the lengths were adapted, (B,).
        kept: how many of them fooled after the first step, (B,).
        fooled: and after the second, (B,).
    """

    sideways: Tensor
    inwards: Tensor
    tried: Tensor
    kept: Tensor
    fooled: Tensor

    @classmethod
    def begin(cls, points: Tensor) -> Self:
        """The first lengths."""
        none = points.new_zeros(len(points))
        return cls(none + _SIDEWAYS, none + _INWARDS, none, none, none)

    def after(self, kept: Tensor, fooled: Tensor) -> Self:
        """After a proposal: steps of which half (sideways) or a quarter (inwards) succeed are of the right length."""
        tried, kept, fooled = self.tried + 1, self.kept + kept, self.fooled + fooled
        due = tried >= _PATIENCE
        sideways = _adapted(self.sideways, kept / tried, 0.5)
        inwards = _adapted(self.inwards, fooled / kept.clamp_min(1), 0.25)
        return type(self)(
            torch.where(due, sideways, self.sideways),
            torch.where(due & (kept > 0), inwards, self.inwards).clamp_max(0.5),
            *(torch.where(due, 0.0, count) for count in (tried, kept, fooled)),
        )


def _adapted(length: Tensor, rate: Tensor, wanted: float) -> Tensor:
    """Longer where more succeed than wanted, shorter where fewer do."""
    return torch.where(rate > wanted, length * _FACTOR, length / _FACTOR)


def _beside(search: Search, points: Tensor, share: Tensor, step: int) -> Tensor:
    """Random points at the same distance from the clean input, a share of that distance away."""
    space = search.space
    away = points - space.clean
    distance = torch.linalg.vector_norm(away, dim=1, keepdim=True)
    noise = search.streams("steps", step).normal(points) * (space.upper > space.lower)
    outwards = unit(away, 2)
    along = unit(noise - (noise * outwards).sum(1, keepdim=True) * outwards, 2)
    turned = unit(outwards + share[:, None] * along, 2)
    return space.clip(space.clean + distance * turned)
