"""Random search: a change is kept where the score rises, and a sample that is fooled asks no more."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor

from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.probes import Score, ask, check_score
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

MARKS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""After how many of 10 000 queries the changes halve."""

_BLOCK = 64  # queries whose random numbers are drawn at once


class RandomSearch(ABC):
    """The estimate and the rule of `rgbdsod.attacks.core.perturb` in one: propose, ask, keep what is better.

    Args:
        queries: how many there will be; the schedule is stretched over them.
        share: of the image that the first change covers.
        score: what a change is judged by.

    Attributes:
        balls: what the inputs of the samples that still stand may become.

    Raises:
        UsageError: no queries, a share that is none, an unknown score.
    """

    def __init__(self, queries: int, share: float, score: Score) -> None:
        check_queries(queries)
        check_score(score)
        if not 0 < share <= 1:
            raise UsageError(f"--share {share:g}: pass the share of the image in the first change, above 0, up to 1")
        self.balls: Mapping[str, Ball] = {}
        self._queries, self._share, self._score = queries, share, score
        self._asked = 0
        self._kept: dict[str, Tensor] = {}
        self._drawn: dict[str, Tensor] = {}

    @abstractmethod
    def widths(self) -> dict[str, int]:
        """How many random numbers one change takes, by purpose; asked once, when all samples stand."""

    @abstractmethod
    def change(self, points: Inputs, share: float, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Other points inside the balls.

        Args:
            points: the best so far.
            share: of the image that is to change.
            numbers: by purpose, uniform in [0, 1), (B, width).
        """

    def ask(self, engine: Engine, points: Inputs, progress: float) -> Evaluation:
        """The estimate: one query at the points."""
        evaluation, self._seen = ask(engine, points, self._score)
        self._engine = engine
        return evaluation

    def begin(self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int) -> Self:
        """The rule of one restart; sizes and steps are this search's own."""
        self.balls, self._asked = balls, 0
        self._widths = self.widths()
        return self

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """At the points themselves."""
        return points

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Keep what is better, and change it."""
        if self._asked:
            points = self._better(points)
        else:
            self._best = self._seen
        self._kept = points
        numbers = self._numbers()
        share = share_at(self._share, self._asked, self._queries)
        self._asked += 1
        return self.change(points, share, numbers)

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples."""
        self.balls = balls
        self._kept = {name: value[index] for name, value in self._kept.items()}
        self._best = self._best[index]
        self._drawn = {purpose: numbers[index] for purpose, numbers in self._drawn.items()}

    @property
    def asked(self) -> int:
        """How many changes were made before this one."""
        return self._asked

    def _better(self, points: Inputs) -> dict[str, Tensor]:
        """These points where their score is higher than that of the best so far, which are kept elsewhere."""
        better = self._seen > self._best
        if better.is_cpu and not bool(better.any()):
            return self._kept
        self._best = torch.maximum(self._seen, self._best)
        return {
            name: torch.where(better.view(-1, *[1] * (value.ndim - 1)), value, self._kept[name])
            for name, value in points.items()
        }

    def _numbers(self) -> dict[str, Tensor]:
        """This change's random numbers; a block of them is drawn ahead."""
        block, place = divmod(self._asked, _BLOCK)
        if place == 0:
            self._drawn = {
                purpose: self._engine.streams(block, purpose).uniform(
                    self._best.new_empty(len(self._best), width, _BLOCK)
                )
                for purpose, width in self._widths.items()
            }
        return {purpose: numbers[..., place] for purpose, numbers in self._drawn.items()}


def share_at(first: float, query: int, queries: int) -> float:
    """The share of the image that a change covers: halved at the marks, which are stretched over all queries.

    Args:
        first: the first share.
        query: how many changes were made before.
        queries: how many there will be.

    Source: Andriushchenko et al., arXiv 1912.00049, the piecewise constant schedule of its experiments.
    """
    place = query * 10_000 // queries
    return first * 0.5 ** sum(place > mark for mark in MARKS)


def check_queries(queries: int) -> None:
    """Refuse an empty budget.

    Raises:
        UsageError: so.
    """
    if queries < 1:
        raise UsageError(f"--queries {queries} asks nothing; pass 1 or more")


def check_images(attack: str, inputs: Inputs, attacked: Mapping[str, object]) -> None:
    """Refuse attacked inputs that are no images.

    Raises:
        UsageError: so.
    """
    for name in attacked:
        if name in inputs and inputs[name].ndim != 4:
            shape = tuple(inputs[name].shape)
            raise UsageError(f'input "{name}" has shape {shape}; attack "{attack}" changes images (B,C,H,W)')
