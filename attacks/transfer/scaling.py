"""Gradients averaged over darker copies: SI-FGSM."""

from dataclasses import replace
from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Estimate, Keep
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.transfer.climb import climb
from rgbdsod.attacks.transfer.copies import Copies
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def scaled(estimate: Estimate, copies: int) -> Estimate:
    """An estimate whose gradients are means over the inputs at full, half, quarter ... brightness.

    The first copy is the point itself, whose value is kept.

    Args:
        estimate: what is averaged.
        copies: how many.

    Raises:
        UsageError: no copies.
    """
    if copies < 1:
        raise UsageError(f"--copies {copies}: pass 1 (the point itself) or more")
    others = Copies(estimate)
    shares = [0.5**power for power in range(1, copies)]

    def average(engine: Engine, points: Inputs, progress: float) -> Evaluation:
        found = estimate(engine, points, progress)
        darker = ((share, {name: share * value for name, value in points.items()}) for share in shares)
        totals = others.total(engine, darker, progress)
        gradients = {name: (value + totals[name]) / copies for name, value in found.gradients.items()}
        return replace(found, gradients=gradients)

    return average if shares else estimate


def sifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    copies: int = 5,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Accumulated gradients, means over darker copies of the point where the memory leads (SI-NI-FGSM).

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        copies: how many, each half as bright as the one before; the first is the point itself.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no copies.

    Source: Lin et al., "Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks", arXiv 1908.06281,
    algorithm 1.
    """
    estimate = scaled(InTurn(), copies)
    return climb(
        problem,
        inputs,
        threat,
        estimate,
        attack="sifgsm",
        steps=steps,
        step_size=step_size,
        decay=decay,
        keep=keep,
        lookahead=True,
        **common,
    )
