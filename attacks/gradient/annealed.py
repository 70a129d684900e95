"""A run that begins in larger balls and ends in the budget's own."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.gradient.adaptive import Adaptive
from rgbdsod.attacks.norms import Ball, ball

_SHARE = 0.3  # of the steps, in each of the larger balls
_RADII = {"linf": (2.0, 1.5, 1.0), "l2": (2.0, 1.5, 1.0), "l1": (3.0, 2.0, 1.0)}


class Annealed:
    """APGD three times over: in balls of 2, 1.5 and 1 radii (L1: 3, 2 and 1), each from the best point of the last.

    The last step of a run in a larger ball is the projection into the next, so that no pass is added.

    Args:
        balls: by attacked input.
        sizes: the first steps' sizes in these balls.
        steps: how many there will be.
        rule: makes the rule of one run from balls, sizes and steps.

    Source: Croce and Hein, arXiv 2103.01208; maps: Croce et al., arXiv 2306.12941.
    """

    def __init__(
        self,
        balls: Mapping[str, Ball],
        sizes: Mapping[str, Tensor],
        steps: int,
        *,
        rule: Callable[[Mapping[str, Ball], Mapping[str, Tensor], int], Adaptive],
    ) -> None:
        self._balls, self._sizes, self._make = balls, sizes, rule
        larger = int(_SHARE * steps)
        self._runs = [(2, steps - 2 * larger)] if not larger else [(0, larger), (1, larger), (2, steps - 2 * larger)]
        self._enter()

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """At the points; in a larger ball at a copy, since only the points themselves may become the result."""
        return dict(points) if self._runs else points

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """A step of the present run, or the way into the next."""
        self._left -= 1
        if self._left or not self._runs:
            return self._rule.step(points, evaluation)
        best = self._rule.note(points, evaluation).points
        self._enter()
        return {name: self._widened[name].project(point) for name, point in best.items()}

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples."""
        self._balls = balls
        self._widened = self._larger()
        self._rule.select(index, self._widened)

    def _enter(self) -> None:
        """Begin the next run."""
        self._stage, self._left = self._runs.pop(0)
        self._widened = self._larger()
        sizes = {name: size * _RADII[self._balls[name].budget.norm][self._stage] for name, size in self._sizes.items()}
        self._rule = self._make(self._widened, sizes, self._left)

    def _larger(self) -> dict[str, Ball]:
        """The balls of the present run."""
        return {
            name: own if self._stage == 2 else widened(own, _RADII[own.budget.norm][self._stage])
            for name, own in self._balls.items()
        }


def widened(own: Ball, times: float) -> Ball:
    """A ball of some times the radius; Linf: of the whole range at most."""
    radius = times * own.radius
    return ball(own.clean, replace(own.budget, eps=radius.clamp(max=1.0) if own.budget.norm == "linf" else radius))
