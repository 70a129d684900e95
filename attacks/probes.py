"""Many queries for each sample at once, in pieces that fit into memory."""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_MOST = 1024  # points in one forward pass
_IN_CACHE, _ON_DEVICE = 2**18, 2**25  # values of an input in one pass, with which a CPU and a device are quickest

Score = Literal["gap", "objective"]
"""What a query is judged by: minus what is missing to success (the margin), or what the problem ranks points by."""

Make = Callable[[int, int], Inputs]
"""(first, last) -> the points of each sample from `first` up to `last`, (B, last - first, ...)."""


def ask(engine: Engine, points: Inputs, score: Score) -> tuple[Evaluation, Tensor]:
    """One query for each sample: what is known of the points, and their scores (B,)."""
    if score == "gap":
        evaluation, gap = engine.score(points)
        return evaluation, -gap
    evaluation = engine.evaluate(points)
    return evaluation, evaluation.value


def check_score(score: str) -> None:
    """Refuse an unknown way to judge a query.

    Raises:
        UsageError: so.
    """
    if score not in get_args(Score):
        raise UsageError(f'no score "{score}"; it is one of {", ".join(get_args(Score))}')


class Probes:
    """Asks a problem about several points of each sample. Every point is one query of its sample.

    Args:
        engine: for the samples that still stand.
        rows: most points in one forward pass; None: as many as suit the device. Halved whenever memory runs out.
    """

    def __init__(self, engine: Engine, rows: int | None = None) -> None:
        self._engine, self._rows = engine, rows or _fitting(engine)
        self._parts: dict[int, Engine] = {}

    def scores(self, make: Make, count: int, score: Score = "gap") -> tuple[Tensor, Tensor]:
        """The scores and the verdicts at points: float (B, n) and bool (B, n).

        Args:
            make: makes the points, a piece at a time.
            count: how many for each sample.
            score: what they are judged by.
        """

        def look(engine: Engine, part: Inputs) -> Tensor:
            evaluation, value = ask(engine, part, score)
            return torch.stack([value, evaluation.judge().to(value)])

        found = self._ask(make, count, look)
        return found[0], found[1] > 0

    def decisions(self, make: Make, count: int) -> Tensor:
        """The verdicts alone, bool (B, n)."""
        return self._ask(make, count, lambda engine, part: engine.decide(part)[None])[0]

    def _ask(self, make: Make, count: int, look: Callable[[Engine, Inputs], Tensor]) -> Tensor:
        """All answers (answers, B, n)."""
        samples = len(self._engine)
        found, done = [], 0
        while done < count:
            copies = min(max(1, self._rows // max(samples, 1)), count - done)
            try:
                part = {name: value.flatten(0, 1) for name, value in make(done, done + copies).items()}
                answer = look(self._copies(copies), part)
            except torch.OutOfMemoryError:
                if copies == 1:
                    raise
                self._rows = max(1, copies * samples // 2)
                self._parts.clear()
                continue
            found.append(answer.view(-1, samples, copies))
            done += copies
        return torch.cat(found, 2)

    def _copies(self, count: int) -> Engine:
        """The engine for so many copies of each sample; kept, since making it copies what does not change."""
        if count not in self._parts:
            device = next(iter(self._engine.clean.values())).device
            rows = torch.arange(len(self._engine), device=device).repeat_interleave(count)
            self._parts[count] = self._engine.part(rows) if count > 1 else self._engine
        return self._parts[count]


def _fitting(engine: Engine) -> int:
    """How many points make a quick pass."""
    largest = max(engine.clean.values(), key=lambda value: value[0].numel())
    values = _IN_CACHE if largest.is_cpu else _ON_DEVICE
    return max(1, min(_MOST, values // largest[0].numel()))


def all_of(points: Inputs) -> Make:
    """Points (B, n, ...) that are there already."""
    return lambda first, last: {name: value[:, first:last] for name, value in points.items()}
