"""Gradients as means over draws of the transformations, and a look at fixed draws now and then."""

from dataclasses import replace
from typing import cast

from torch import Tensor

from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import APART, Evaluation, mostly
from rgbdsod.attacks.patch.natural.family import COLOUR
from rgbdsod.attacks.patch.problem import PatchProblem
from rgbdsod.attacks.problem import Problem
from rgbdsod.types import Inputs

LOOK_EVERY = 20
_TOP = 255


class Expectation:
    """Estimates for `perturb`: fresh draws for each gradient, the same draws for each look.

    Points are ranked by looks alone, at colours rounded to 8 bit: a gradient's own value belongs to other draws.

    Args:
        steps: of the attack.
        draws: of which one gradient is the mean.
        every: steps from one look to the next.

    Source: Athalye et al., "Synthesizing Robust Adversarial Examples", arXiv 1707.07397, section 2.1.
    """

    def __init__(self, steps: int, draws: int, every: int = LOOK_EVERY) -> None:
        self._steps, self._draws, self._every = steps, draws, every

    def __call__(self, engine: Engine, points: Inputs, progress: float) -> Evaluation:
        """The mean gradient at the points, and at times what a look says of them."""
        step = round(progress * self._steps)
        found = replace(self.gradient(engine, points, step, progress), faithful=False)
        if step % self._every:
            return found
        look = engine.evaluate(rounded(points), progress)
        return replace(found, value=look.value, judge=look.judge, faithful=True)

    def gradient(self, engine: Engine, points: Inputs, step: int, progress: float) -> Evaluation:
        """The mean over a step's draws."""
        problem = cast(PatchProblem, engine.problem)
        drawn = [cast(Problem, problem.drawn(f"step/{step}/{draw}")) for draw in range(self._draws)]
        return mostly(
            [engine.asking(one, engine.whole).gradient(points, progress + at * APART) for at, one in enumerate(drawn)]
        )


def looks(draws: int) -> tuple[str, ...]:
    """Labels of the draws of every look."""
    return tuple(f"look/{draw}" for draw in range(draws))


def rounded(points: Inputs) -> dict[str, Tensor]:
    """The points with colours as a file of 8 bit has them."""
    return {name: (value * _TOP).round() / _TOP if name == COLOUR else value for name, value in points.items()}
