"""Gradients from scores alone: differences between pairs of points on both sides."""

from collections.abc import Callable

import torch
from torch import Tensor

from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.probes import Probes, Score, ask, check_score
from rgbdsod.attacks.randomness import Streams
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_PAIRS = 16  # pairs of each sample that are made at once

Noise = Callable[[Streams, Tensor], Tensor]
"""(random numbers, a tensor like which) -> a random direction for each sample."""


def normal(streams: Streams, like: Tensor) -> Tensor:
    """Each value from a normal distribution."""
    return streams.normal(like)


def signs(streams: Streams, like: Tensor) -> Tensor:
    """Each value -1 or 1."""
    return streams.uniform(like).sub_(0.5).sign_()


class Differences:
    """An estimate for `rgbdsod.attacks.core.perturb`: the mean over pairs of (f(x + su) - f(x - su)) / 2s times u.

    One query more looks at the point itself. Points outside [0, 1] are clipped: a model that is asked takes images.

    Args:
        noise: the directions u.
        draws: queries for one gradient, an even number; two for each direction.
        spread: how far s the points of a pair are from the middle.
        score: f.

    Raises:
        UsageError: an odd number of draws or none, no spread, an unknown score.
    """

    def __init__(self, noise: Noise, draws: int, spread: float, score: Score) -> None:
        if draws < 2 or draws % 2:
            raise UsageError(f"--draws {draws} makes no pairs; pass an even number, 2 or more")
        if not spread > 0:
            raise UsageError(f"--spread {spread:g} tells no difference; pass a distance above 0, for example 0.001")
        check_score(score)
        self._noise, self._pairs, self._spread, self._score = noise, draws // 2, spread, score
        self._asked = 0
        self._probes: tuple[Engine, Probes] | None = None

    def __call__(self, engine: Engine, points: Inputs, progress: float) -> Evaluation:
        """The value at the points, and the estimated gradient."""
        evaluation, _ = ask(engine, points, self._score)
        streams = {name: engine.streams(self._asked, name) for name in points}
        self._asked += 1
        gradients = {name: torch.zeros_like(point) for name, point in points.items()}
        for done in range(0, self._pairs, _PAIRS):
            pairs = min(_PAIRS, self._pairs - done)
            ways = {name: self._ways(engine, streams[name], name, pairs) for name in points}
            slopes = self._slopes(engine, points, ways)
            for name, way in ways.items():
                gradients[name] += torch.einsum("bn,bn...->b...", slopes, way) / self._pairs
        return Evaluation(evaluation.value, evaluation.judge, gradients)

    def _ways(self, engine: Engine, streams: Streams, name: str, count: int) -> Tensor:
        """Directions (B, count, ...), 0 where a mask forbids a change."""
        ball = engine.balls[name]
        return torch.stack([ball.masked(self._noise(streams, ball.clean)) for _ in range(count)], 1)

    def _slopes(self, engine: Engine, points: Inputs, ways: Inputs) -> Tensor:
        """How the score rises along each direction, (B, count)."""
        count = next(iter(ways.values())).shape[1]

        def make(first: int, last: int) -> Inputs:
            both = {name: torch.cat([way, -way], 1)[:, first:last] for name, way in ways.items()}
            return {name: (point[:, None] + self._spread * both[name]).clamp_(0, 1) for name, point in points.items()}

        scores, _ = self._on(engine).scores(make, 2 * count, self._score)
        return (scores[:, :count] - scores[:, count:]) / (2 * self._spread)

    def _on(self, engine: Engine) -> Probes:
        """Probes on this engine, kept until samples leave."""
        if self._probes is None or self._probes[0] is not engine:
            self._probes = (engine, Probes(engine))
        return self._probes[1]
