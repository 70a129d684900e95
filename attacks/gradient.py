"""The gradient family: each attack is a setting of the one loop."""

from functools import partial
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep, at_clean, at_random, perturb
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Ascent, Momentum, StepSize
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


def ifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int | None = None,
    step_size: StepSize = None,
    keep: Keep = "best",
    **common: Unpack[Common],
) -> Result:
    """Small steps from the clean input (I-FGSM, also called BIM).

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many; None: min(e + 4, 1.25 e) for the largest Linf radius of e grey levels, 10 for other norms.
        step_size: None: 1/255 for Linf, the norm's own for others.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Source: Kurakin et al., "Adversarial examples in the physical world", arXiv 1607.02533, section 2.2.
    """
    count = _grey_level_steps(threat) if steps is None else steps
    size: StepSize = partial(_grey_level, steps=count) if step_size is None else step_size
    return perturb(problem, inputs, threat, steps=count, step_size=size, keep=keep, attack="ifgsm", **common)


def pgd(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    restarts: int = 1,
    random_start: bool = True,
    keep: Keep = "best",
    **common: Unpack[Common],
) -> Result:
    """Steps along the gradient from a random point, each projected back into the budget.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: Linf eps/4, L2 2.5 eps/steps, L1 eps/5.
        restarts: runs from different starts; each sample keeps its best.
        random_start: begin at a random point of the ball rather than at the clean input.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", arXiv 1706.06083; L1: arXiv
    2103.01208; L0: arXiv 1909.05040.
    """
    return perturb(
        problem,
        inputs,
        threat,
        steps=steps,
        step_size=step_size,
        restarts=restarts,
        start=at_random if random_start else at_clean,
        keep=keep,
        attack="pgd",
        **common,
    )


def mifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    joint: bool = False,
    keep: Keep = "best",
    **common: Unpack[Common],
) -> Result:
    """Steps along the accumulated gradient.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        joint: normalise by one mean over all attacked inputs, instead of one for each.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Source: Dong et al., "Boosting Adversarial Attacks with Momentum", arXiv 1710.06081, algorithm 1.
    """

    def even(ball: Ball) -> Tensor:
        return ball.reach / steps

    rule = partial(Momentum, decay=decay, joint=joint)
    size: StepSize = even if step_size is None else step_size
    return perturb(
        problem, inputs, threat, steps=steps, step_size=size, rule=rule, keep=keep, attack="mifgsm", **common
    )


def _reach(ball: Ball) -> Tensor:
    return ball.reach


def _grey_level(ball: Ball, steps: int) -> Tensor:
    """One grey level for Linf."""
    return torch.full_like(ball.radius, 1 / 255) if ball.budget.norm == "linf" else ball.default_step(steps)


def _grey_level_steps(threat: Threat) -> int:
    """The paper's number of steps: enough to cross the radius in grey levels, and a few more."""
    levels = [255 * float(b.eps.max() if isinstance(b.eps, Tensor) else b.eps) for b in threat.values()]
    if not levels or any(budget.norm != "linf" for budget in threat.values()):
        return 10
    return max(1, round(min(max(levels) + 4, 1.25 * max(levels))))
