"""Steps whose sizes find themselves: APGD."""

from functools import partial
from typing import Unpack

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Start, Walking, at_clean, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.gradient.adaptive import Adaptive
from rgbdsod.attacks.gradient.annealed import Annealed
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import MakeRule
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def apgd(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    restarts: int = 1,
    rho: float = 0.75,
    momentum: float = 0.75,
    random_start: bool = True,
    anneal: bool = False,
    objective: str | None = None,
    **common: Unpack[Walking],
) -> Result:
    """Steps that begin at twice the radius and shrink, per sample, where the loss does not rise; no size to choose.

    L1: steps of one radius whose sparsity follows that of the best point so far.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf, L2 or L1.
        steps: how many.
        restarts: runs from different starts; each sample keeps its best.
        rho: a sample's steps are halved unless more than this share of them raised the loss, above 0, up to 1.
        momentum: weight of the fresh step against the last one's direction, above 0, up to 1.
        random_start: begin at a random point (L2: of the sphere) rather than at the clean input.
        anneal: spend the first 60 % of the steps in larger balls: twice and 1.5 times the radius, L1 three and two
            times. What is returned is inside the budget.
        objective: what to raise instead of the problem's own objective, by name.
        common: see `rgbdsod.attacks.core.Walking`.

    Raises:
        UsageError: an L0 budget; rho or momentum out of range; an objective that the problem has not.

    Source: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
    attacks", arXiv 2003.01690, algorithm 1; L1: Croce and Hein, "Mind the box", arXiv 2103.01208, algorithm 1;
    annealing: the same, and for maps Croce et al., arXiv 2306.12941.
    """
    check_norms("apgd", threat, ("linf", "l2", "l1"))
    _check(rho=rho, momentum=momentum)
    adaptive = partial(Adaptive, rho=rho, momentum=momentum)
    rule: MakeRule = partial(Annealed, rule=adaptive) if anneal else adaptive
    start: Start = _scattered if random_start else at_clean
    return perturb(
        problem if objective is None else problem.raising(objective),
        inputs,
        threat,
        steps=steps,
        step_size=_first,
        restarts=restarts,
        start=start,
        rule=rule,
        attack="apgd",
        **common,
    )


def _first(ball: Ball) -> Tensor:
    """The first step's size."""
    return ball.reach if ball.budget.norm == "l1" else 2 * ball.reach


def _scattered(ball: Ball, streams: Streams) -> Tensor:
    """A random point, for L2 of the sphere."""
    return ball.edge(streams) if ball.budget.norm == "l2" else ball.start(streams)


def _check(**shares: float) -> None:
    for flag, value in shares.items():
        if not 0 < value <= 1:
            raise UsageError(f"--{flag} {value:g}: pass a number above 0, up to 1")
