"""Gradients from random signs, steps of Adam: SPSA."""

from typing import Unpack

from torch import Tensor

from rgbdsod.attacks.blackbox.differences import Differences, signs
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.gradient.pgd_adam import Adam
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.probes import Score
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.types import Inputs


def spsa(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    draws: int = 128,
    spread: float = 0.01,
    score: Score = "gap",
    **common: Unpack[Common],
) -> Result:
    """Projected steps of Adam along gradients estimated from scores at random signs on both sides of the point.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf or L2.
        steps: how many; each costs `draws` + 1 queries. The paper has 100.
        step_size: of a value whose gradients agree; None: Linf a quarter of the radius, L2 that over the root of the
            number of values. The paper has 0.01.
        draws: queries for one gradient, an even number; 128 to 8192 in the paper.
        spread: how far the points of a pair are from the middle, per value, in units of the [0, 1] input.
        score: what the gradient is of: minus the "gap" to success (as in the paper), or the problem's "objective".
        common: see `rgbdsod.attacks.core.Common`; a sample that is fooled asks no more, unless stop=False.

    Raises:
        UsageError: other norms, an odd number of draws, no spread.

    Source: Uesato et al., "Adversarial Risk and the Dangers of Evaluating Against Weak Attacks", arXiv 1802.05666,
    algorithm 1.
    """
    check_norms("spsa", threat, ("linf", "l2"))
    common.setdefault("stop", True)
    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=_quarter if step_size is None else step_size,
        estimate=Differences(signs, draws, spread, score),
        rule=Adam,
        attack="spsa",
        knowledge="score",
        **common,
    )


def _quarter(ball: Ball) -> Tensor:
    """A quarter of the radius in each value; for L2 in all of them together."""
    return ball.reach / 4 if ball.budget.norm == "linf" else ball.reach / (4 * ball.free().sqrt())
