"""Gradients of two wishes at once: what the victim is to do, and what a watcher in front of it is to see."""

from functools import partial
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from rgbdsod.attacks.core import Estimate
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import AGAIN, APART, Evaluation, mostly
from rgbdsod.attacks.patch.expectation import Expectation
from rgbdsod.attacks.patch.problem import PatchProblem
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.rules import normalised
from rgbdsod.types import Inputs


class Wish(NamedTuple):
    """What a watcher is to see.

    Args:
        value: to be lowered, (B,), with a gradient.
        weight: against the victim's gradient, both of mean 1, (B,); 0 where the wish is met.
    """

    value: Tensor
    weight: Tensor


class Steer(Protocol):
    """Asks a watcher's outputs how far a wish is from being met."""

    def __call__(self, outputs: Any, hidden: Tensor) -> Wish:
        """The wish, for a patch on the pixels `hidden`, bool (B,1,H,W)."""
        ...


def steer_of(problem: PatchProblem) -> Steer | None:
    """What a victim wants besides its objective: its attribute `steer`; None where it has none."""
    found: Steer | None = getattr(problem, "steer", None)
    return found


def steered(eot: int, steps: int, draws: int) -> Estimate:
    """Estimates for `perturb` whose gradient is the victim's less the watcher's.

    Each of the two is divided by its own mean absolute value first, so a weight means the same before every watcher. A
    sum of the two values would not do: behind a watcher that covers the patch the victim's gradient is nearly 0, and
    where it is not it may be a thousand times the watcher's.

    Args:
        eot: passes that one gradient is the mean of.
        steps: of the attack.
        draws: of the transforms in one gradient; 0: there are none.
    """

    def estimate(engine: Engine, points: Inputs, progress: float) -> Evaluation:
        found = [_both(engine, points, progress + at * AGAIN) for at in range(eot)]
        return mostly(found) if eot > 1 else found[0]

    return _Drawn(estimate, steps, draws) if draws else estimate


class _Drawn(Expectation):
    """The mean over draws of the transforms of another estimate's gradient."""

    def __init__(self, estimate: Estimate, steps: int, draws: int) -> None:
        super().__init__(steps, draws)
        self._one, self._count = estimate, draws

    def gradient(self, engine: Engine, points: Inputs, step: int, progress: float) -> Evaluation:
        """The mean over a step's draws."""
        problem = cast(PatchProblem, engine.problem)
        drawn = [cast(Problem, problem.drawn(f"step/{step}/{draw}")) for draw in range(self._count)]
        return mostly(
            [self._one(engine.asking(one, engine.whole), points, progress + at * APART) for at, one in enumerate(drawn)]
        )


def _both(engine: Engine, points: Inputs, progress: float) -> Evaluation:
    """One forward pass, and one backward pass for each wish."""
    problem = cast(PatchProblem, engine.problem)
    steer = cast(Steer, steer_of(problem))
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in points.items()}
        outputs = engine.forward(leaves)
        wishes = [steer(glimpse.outputs, glimpse.hidden) for glimpse in outputs.glimpses]
        away = torch.stack([wish.value for wish in wishes]).mean(0)
        weight = torch.stack([wish.weight for wish in wishes]).mean(0).detach()
        up = normalised(engine.pull(problem.loss(outputs, progress), leaves, again=True))
        down = normalised(engine.pull(away, leaves)) if away.requires_grad else None
    if down is not None:
        up = {name: value - weight.view(-1, *[1] * (value.ndim - 1)) * down[name] for name, value in up.items()}
    with torch.no_grad():
        return Evaluation(problem.track(outputs).detach(), partial(_fooled, problem, outputs), up)


@torch.no_grad()
def _fooled(problem: PatchProblem, outputs: Any) -> Tensor:
    return problem.fooled(outputs)
