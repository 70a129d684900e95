"""One gradient step: FGSM, and with a random step before it."""

from functools import partial
from typing import Unpack

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, perturb
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Ascent
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def fgsm(problem: Problem, inputs: Inputs, threat: Threat, **common: Unpack[Common]) -> Result:
    """One step of the full radius: signs for Linf, the unit gradient for L2, the largest value for L1.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        common: see `rgbdsod.attacks.core.Common`.

    Source: Goodfellow et al., "Explaining and Harnessing Adversarial Examples", arXiv 1412.6572, section 4.
    """
    rule = partial(Ascent, top=1)
    return perturb(problem, inputs, threat, steps=1, step_size=_reach, rule=rule, keep="last", attack="fgsm", **common)


def rfgsm(problem: Problem, inputs: Inputs, threat: Threat, *, share: float = 0.5, **common: Unpack[Common]) -> Result:
    """A random step of a share of the radius, then a gradient step with the rest.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        share: what the random step takes, between 0 and 1.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a share outside 0 to 1.

    Source: Tramèr et al., "Ensemble Adversarial Training: Attacks and Defenses", arXiv 1705.07204, equation 7.
    """
    if not 0 < share < 1:
        raise UsageError(f"--share {share:g} leaves nothing to one of the two steps; pass a number between 0 and 1")

    def start(ball: Ball, streams: Streams) -> Tensor:
        return ball.edge(streams, share)

    def rest(ball: Ball) -> Tensor:
        return (1 - share) * ball.reach

    return perturb(problem, inputs, threat, steps=1, step_size=rest, start=start, keep="last", attack="rfgsm", **common)


def _reach(ball: Ball) -> Tensor:
    return ball.reach
