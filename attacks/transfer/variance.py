"""Gradients corrected by how much they vary nearby: VMI-FGSM and VNI-FGSM."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Estimate, Keep
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.transfer.climb import climb
from rgbdsod.attacks.transfer.copies import Copies, Version
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.attacks.transfer.lookahead import evenly
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class Tuned:
    """Adds to each gradient what the neighbours' mean had more than the gradient itself at the step before.

    Lives for one attack. The last step has no neighbours, since no further step would use them.

    Args:
        estimate: what is corrected.
        samples: neighbours at each step.
        spread: how far they lie, in radii; each value of a neighbour is uniform in that range.
        steps: of the attack.

    Raises:
        UsageError: no neighbours, or none but the point itself.
    """

    def __init__(self, estimate: Estimate, samples: int, spread: float, steps: int) -> None:
        if samples < 1:
            raise UsageError(f"--variance-samples {samples}: pass 1 or more")
        if not spread > 0:
            raise UsageError(f"--spread {spread:g} leaves all neighbours at the point; pass a number above 0")
        self._estimate, self._copies = estimate, Copies(estimate)
        self._samples, self._spread, self._steps = samples, spread, steps
        self._streams: dict[str, Streams] = {}
        self._variance: dict[str, Tensor] = {}
        self._rows = torch.empty(0)

    def __call__(self, engine: Engine, points: Inputs, progress: float) -> Evaluation:
        """The corrected gradients; the neighbours' are for the next step."""
        self._follow(engine.rows)
        found = self._estimate(engine, points, progress)
        tuned = {name: value + self._variance.get(name, 0) for name, value in found.gradients.items()}
        if round(progress * self._steps) < self._steps - 1:
            totals = self._copies.total(engine, self._neighbours(engine, points), progress)
            self._variance = {name: total - found.gradients[name] for name, total in totals.items()}
        return replace(found, gradients=tuned)

    def _follow(self, rows: Tensor) -> None:
        """Forget samples that have left the batch."""
        if len(rows) < len(self._rows):
            index = torch.isin(self._rows, rows).nonzero().flatten()
            self._variance = {name: value[index.to(value.device)] for name, value in self._variance.items()}
            for streams in self._streams.values():
                streams.select(index)
        self._rows = rows

    def _neighbours(self, engine: Engine, points: Inputs) -> Iterator[Version]:
        """Points around the points, outside ball and box as well, as in the paper."""
        self._streams = self._streams or {name: engine.streams(0, f"{name} neighbours") for name in points}
        reach = {name: self._spread * ball.radius / evenly(ball) for name, ball in engine.balls.items()}
        for _ in range(self._samples):
            noise = {name: self._streams[name].uniform(value).mul_(2).sub_(1) for name, value in points.items()}
            moved = {name: engine.balls[name].masked(noise[name] * reach[name]) for name in points}
            yield 1 / self._samples, {name: value + moved[name] for name, value in points.items()}


def vmifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    variance_samples: int = 20,
    spread: float = 1.5,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Accumulated gradients, corrected by those of neighbours of the step before.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        variance_samples: neighbours at each step.
        spread: how far they lie, in radii.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no neighbours.

    Source: Wang and He, "Enhancing the Transferability of Adversarial Attacks through Variance Tuning", arXiv
    2103.15571, algorithm 1.
    """
    estimate = Tuned(InTurn(), variance_samples, spread, steps)
    return climb(
        problem,
        inputs,
        threat,
        estimate,
        attack="vmifgsm",
        steps=steps,
        step_size=step_size,
        decay=decay,
        keep=keep,
        **common,
    )


def vnifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    variance_samples: int = 20,
    spread: float = 1.5,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """The same with gradients, and neighbours, of the point where the memory leads.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        variance_samples: neighbours at each step.
        spread: how far they lie, in radii.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no neighbours.

    Source: Wang and He, "Enhancing the Transferability of Adversarial Attacks through Variance Tuning", arXiv
    2103.15571, section 3.2.
    """
    estimate = Tuned(InTurn(), variance_samples, spread, steps)
    return climb(
        problem,
        inputs,
        threat,
        estimate,
        attack="vnifgsm",
        steps=steps,
        step_size=step_size,
        decay=decay,
        keep=keep,
        lookahead=True,
        **common,
    )
