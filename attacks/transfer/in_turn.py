"""An ensemble of losses, member by member: one model's graph is in memory at a time."""

import copy
from functools import partial

import torch
from torch import Tensor

from rgbdsod.attacks.core import Estimate, plain
from rgbdsod.attacks.engine import Engine, Evaluation
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.transfer.ensemble import EnsembleProblem
from rgbdsod.types import Inputs


class InTurn:
    """An estimate that takes an ensemble's members one after another where their losses are averaged.

    Anything else is left to the estimate itself.

    Args:
        estimate: of one problem.
    """

    def __init__(self, estimate: Estimate = plain) -> None:
        self._estimate = estimate
        self._engines: dict[Engine, list[Engine]] = {}

    def __call__(self, engine: Engine, points: Inputs, progress: float) -> Evaluation:
        """The weighted means of the members' values and gradients."""
        problem = engine.problem
        if not isinstance(problem, EnsembleProblem) or problem.combine != "loss":
            return self._estimate(engine, points, progress)
        found = [self._estimate(own, points, progress) for own in self._own(engine, problem)]

        def mean(values: list[Tensor]) -> Tensor:
            return torch.stack([weight * value for weight, value in zip(problem.weights, values, strict=True)]).sum(0)

        return Evaluation(
            value=mean([each.value for each in found]),
            judge=partial(_all_fooled, found),
            gradients={name: mean([each.gradients[name] for each in found]) for name in points},
            faithful=all(each.faithful for each in found),
        )

    def _own(self, engine: Engine, problem: EnsembleProblem) -> list[Engine]:
        """An engine for each member."""
        if engine not in self._engines:
            self._engines[engine] = [_asking(engine, member) for member in problem.members]
        return self._engines[engine]


def _asking(engine: Engine, member: Problem) -> Engine:
    """The engine with one member in the ensemble's place; its passes count in the same tally."""
    other = copy.copy(engine)
    other.problem = member
    return other


def _all_fooled(found: list[Evaluation]) -> Tensor:
    return torch.stack([each.judge() for each in found]).all(0)
