"""Random pixels of random colours, each change kept where the score rises: sparse random search."""

from collections.abc import Mapping
from typing import Unpack

import torch
from torch import Tensor
from torch.nn.functional import pad

from rgbdsod.attacks.blackbox.random_search import RandomSearch, check_images
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.probes import Score
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.types import Inputs


def sparse_rs(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    queries: int = 1000,
    share: float = 0.3,
    score: Score = "gap",
    **common: Unpack[Common],
) -> Result:
    """A few pixels at the corners of the colour cube; some of them change places where the score rises.

    Args:
        problem: what is attacked.
        inputs: all inputs (B,C,H,W) in [0, 1].
        threat: budgets by input, norm "l0": how many pixels (or values) may change.
        queries: most forward passes per sample; 10 000 in the paper.
        share: of the pixels that change places first, above 0, up to 1; it halves nine times.
        score: what a change is judged by: "gap", what is missing to success, or the problem's "objective".
        common: see `rgbdsod.attacks.core.Common`; a sample that is fooled asks no more, unless stop=False.

    Raises:
        UsageError: other norms, no queries, a share out of range, inputs that are no images.

    Source: Croce et al., "Sparse-RS: a versatile framework for query-efficient sparse black-box adversarial attacks",
    arXiv 2006.12834, algorithms 1 and 2, with the schedule of arXiv 1912.00049.
    """
    check_norms("sparse-rs", threat, ("l0",))
    check_images("sparse-rs", inputs, threat)
    search = _SparseSearch(queries, share, score)
    common.setdefault("stop", True)
    return perturb(
        problem,
        inputs,
        threat,
        steps=queries - 1,
        start=_start,
        estimate=search.ask,
        rule=search.begin,
        attack="sparse-rs",
        knowledge="score",
        **common,
    )


class _SparseSearch(RandomSearch):
    """Some of the changed pixels become clean, as many others take random colours."""

    def widths(self) -> dict[str, int]:
        """For each pixel that may change places: which leaves, which enters, where counting begins, and its colours."""
        self._slots = {name: _slots(ball, self._share) for name, ball in self.balls.items()}
        return {name: slots * (3 + self._colours(name)) for name, slots in self._slots.items()}

    def change(self, points: Inputs, share: float, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pixels change places in every input."""
        moved = {}
        for name, ball in self.balls.items():
            # slot by slot, so that a sample draws the same numbers however many slots its neighbours need
            drawn = numbers[name].reshape(-1, self._slots[name], 3 + self._colours(name))
            moved[name] = _swapped(ball, points[name], share, drawn[..., :3], drawn[..., 3:].round().transpose(1, 2))
        return moved

    def _colours(self, name: str) -> int:
        ball = self.balls[name]
        return _flat(ball, ball.clean).shape[1]


def _swapped(ball: Ball, point: Tensor, share: float, numbers: Tensor, colours: Tensor) -> Tensor:
    """A point some of whose changed pixels are clean again, and others changed.

    Args:
        ball: how many pixels may change, and where.
        point: where the input is.
        share: of the pixels that change places.
        numbers: uniform numbers that choose who leaves, who enters, and where counting begins, (B, slots, 3).
        colours: of those who enter, 0 or 1, (B, colours, slots).
    """
    clean, flat = _flat(ball, ball.clean), _flat(ball, point)
    allowed = _flat(ball, ball.masked(torch.ones_like(ball.clean))).bool()
    changed = (flat != clean).any(1)
    free = allowed.any(1) & ~changed
    count, most = changed.sum(1), _most_changed(ball)
    moving = (share * most).round().clamp_min(1).long().minimum(most)
    out = _picked(changed, (moving + count - most).clamp_min(0).minimum(count), numbers[..., 0], numbers[:, :1, 2])
    into = _picked(free, moving.minimum(free.sum(1)), numbers[..., 1], numbers[:, :1, 2])
    kept = pad(flat, (0, 1)).scatter(2, _for_each(out, clean), _at(clean, out))
    fresh = kept.scatter(2, _for_each(into, clean), colours)[..., :-1]
    return torch.where(allowed, fresh, clean).view_as(point)


def _picked(pool: Tensor, count: Tensor, numbers: Tensor, turn: Tensor) -> Tensor:
    """Random members of a pool, no two alike, (B, slots); slots beyond the count hold the place after the last.

    The members are cut into so many stretches, and each gives one.

    Args:
        pool: bool (B, places).
        count: how many to pick, (B,), at most the pool's size.
        numbers: which of each stretch, uniform in [0, 1), (B, slots).
        turn: where the first stretch begins, uniform in [0, 1), (B,1).
    """
    slots = torch.arange(numbers.shape[1], device=pool.device)
    sizes, count = pool.sum(1, keepdim=True), count[:, None]
    begin, end = (at * sizes // count.clamp_min(1) for at in (slots, slots + 1))
    ranks = begin + (numbers * (end - begin)).long().minimum(end - begin - 1) + (turn * sizes).long()
    places = torch.searchsorted(pool.cumsum(1), ranks % sizes.clamp_min(1) + 1)
    return torch.where(slots < count, places, pool.shape[1])


def _flat(ball: Ball, value: Tensor) -> Tensor:
    """(B, colours, places): a place is a pixel with all its channels, or a single value."""
    return value.flatten(2) if ball.budget.unit == "pixel" else value.flatten(1)[:, None]


def _for_each(places: Tensor, like: Tensor) -> Tensor:
    """The places in each colour."""
    return places[:, None].expand(-1, like.shape[1], -1)


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Values (B, colours, slots) at some places; 0 at the place after the last."""
    return pad(values, (0, 1)).gather(2, _for_each(places, values))


def _most_changed(ball: Ball) -> Tensor:
    """How many places of each sample may change, (B,)."""
    return ball.radius.reshape(-1).expand(len(ball.clean)).clamp_max(_flat(ball, ball.clean).shape[2])


def _slots(ball: Ball, share: float) -> int:
    """How many places change at once at most, in any sample of the batch."""
    return max(1, round(share * float(_most_changed(ball).max())))


def _start(ball: Ball, streams: Streams) -> Tensor:
    """Random pixels, each channel 0 or 1."""
    return ball.edge(streams)
