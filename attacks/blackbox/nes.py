"""Gradients from normal noise, steps that shorten where the loss stands still: NES."""

from collections.abc import Mapping
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.differences import Differences, normal
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.probes import Score
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Ascent, StepSize
from rgbdsod.types import Inputs

_MEMORY = 0.9  # what is kept of the mean gradient
_PATIENCE = 5  # steps after which a sample's loss must have risen
_SHORTEST = 0.01  # of the first step


def nes(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    draws: int = 50,
    spread: float = 0.001,
    score: Score = "gap",
    **common: Unpack[Common],
) -> Result:
    """Projected steps along gradients estimated from scores at normal noise on both sides of the point.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf or L2.
        steps: how many; each costs `draws` + 1 queries. The paper allows some thousand.
        step_size: the first; None: Linf eps/4, L2 2.5 eps/steps. Halved per sample where the loss stands still.
        draws: queries for one gradient, an even number.
        spread: standard deviation of the noise, in units of the [0, 1] input.
        score: what the gradient is of: minus the "gap" to success, or the problem's "objective".
        common: see `rgbdsod.attacks.core.Common`; a sample that is fooled asks no more, unless stop=False.

    Raises:
        UsageError: other norms, an odd number of draws, no spread.

    Source: Ilyas et al., "Black-box Adversarial Attacks with Limited Queries and Information", arXiv 1804.08598,
    algorithm 1.
    """
    check_norms("nes", threat, ("linf", "l2"))
    common.setdefault("stop", True)
    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=step_size,
        estimate=Differences(normal, draws, spread, score),
        rule=_Patient,
        attack="nes",
        knowledge="score",
        **common,
    )


class _Patient(Ascent):
    """Steps along the mean of past gradients, halved for each sample whose loss has not risen lately."""

    def __init__(self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int) -> None:
        super().__init__(balls, sizes, steps)
        self._taken = 0
        self._memory: dict[str, Tensor] = {}

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Up the memory."""
        fresh, value = evaluation.gradients, evaluation.value
        if not self._memory:
            self._memory, self._share, self._earlier = dict(fresh), torch.ones_like(value), value
        else:
            self._memory = {name: torch.lerp(fresh[name], old, _MEMORY) for name, old in self._memory.items()}
        self._taken += 1
        if self._taken % _PATIENCE == 0:
            halved = (self._share / 2).clamp_min(_SHORTEST)
            self._share, self._earlier = torch.where(value > self._earlier, self._share, halved), value
        moved = self.move(points, self._memory)
        return {name: self._shortened(name, point, moved[name]) for name, point in points.items()}

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples, and what is remembered of them."""
        super().select(index, balls)
        self._memory = {name: value[index] for name, value in self._memory.items()}
        self._share, self._earlier = self._share[index], self._earlier[index]

    def _shortened(self, name: str, point: Tensor, moved: Tensor) -> Tensor:
        """A share of the way to the next point; between two points of a ball all points are inside."""
        share = self._share.view(-1, *[1] * (point.ndim - 1))
        return self._balls[name].project(torch.lerp(point, moved, share))
