"""Turn every pixel of the prediction: ROSA."""

from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep, perturb
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.projections import norm
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.saliency.decisions import Against, Decisions
from rgbdsod.attacks.saliency.memory import Heedful
from rgbdsod.types import Inputs


class Proportional(Heedful):
    """Steps proportional to the gradient, whose largest value moves by the step size, then the projection."""

    def move(self, points: Inputs, ways: Inputs) -> dict[str, Tensor]:
        """A step along each input's gradient, projected."""
        moved = {}
        for name, point in points.items():
            way = self._balls[name].masked(ways[name])
            scaled = way / norm(way, torch.inf).clamp_min(torch.finfo(way.dtype).tiny)
            moved[name] = self._balls[name].project(torch.addcmul(point, scaled, self._sizes[name]))
        return moved


def rosa(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 30,
    step_size: StepSize = None,
    against: Against = "prediction",
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Raise the wrong label of every pixel that still shows its first one, until none is left.

    A pixel that has turned leaves the sum, and comes back if it turns back; a sample without pixels left stands still.

    Args:
        problem: what is attacked; anything that has decisions (`Problem.margins`).
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many at most.
        step_size: how far the value with the largest gradient moves in a step, 0.003 to 0.1 in the paper; None: twice
            the radius for Linf, 0.1 for others.
        against: "prediction" turns all that the model showed of itself, right or wrong; "truth" only what was right.
        keep: the point it ends on ("last"), or the one with the highest loss on the way ("best").
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: `against` is neither.

    Source: Li et al., "ROSA: Robust Salient Object Detection against Adversarial Attacks", arXiv 1905.03434, section
    III, after Xie et al., "Adversarial Examples for Semantic Segmentation and Object Detection", arXiv 1703.08603.
    """
    decisions = Decisions(against)

    def estimate(engine: Engine, points: Inputs, progress: float) -> Evaluation:
        def wrong(outputs: Any) -> Tensor:
            return -decisions.left(engine.problem.margins(outputs)).sum(1)

        return engine.gradient(points, progress, aim=wrong)

    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=_twice if step_size is None else step_size,
        rule=partial(Proportional, memories=[decisions]),
        estimate=estimate,
        keep=keep,
        attack="rosa",
        **common,
    )


def _twice(ball: Ball) -> Tensor:
    """Twice the radius for Linf: on the built-in network this turns the most pixels, at 4/255 as at 20/255."""
    return 2 * ball.radius if ball.budget.norm == "linf" else ball.radius.new_tensor(0.1)
