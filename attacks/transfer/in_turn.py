"""An ensemble of losses, member by member: one model's graph is in memory at a time."""

from functools import partial
from typing import cast

import torch
from torch import Tensor

from rgbdsod.attacks.core import Estimate, plain
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
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
        """An engine for each member; its passes count as the ensemble's."""
        if engine not in self._engines:
            whole = cast(EnsembleProblem, engine.whole)
            pairs = zip(problem.members, whole.members, strict=True)
            self._engines[engine] = [engine.asking(member, unfilled) for member, unfilled in pairs]
        return self._engines[engine]


def _all_fooled(found: list[Evaluation]) -> Tensor:
    return torch.stack([each.judge() for each in found]).all(0)
