"""Random noise of the same budget: what every attack has to beat."""

from typing import Literal, Unpack

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, at_random, perturb
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def noise(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    kind: Literal["uniform", "sign"] = "uniform",
    draws: int = 1,
    **common: Unpack[Common],
) -> Result:
    """The worst of some random points, per sample. One forward pass a draw.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        kind: "uniform" in the ball, or "sign": on its edge (Linf: plus or minus the radius everywhere).
        draws: how many points are tried.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: unknown kind, or no draws.
    """
    if kind not in ("uniform", "sign"):
        raise UsageError(f'no noise "{kind}"; kinds are uniform, sign')
    if draws < 1:
        raise UsageError(f"--draws {draws} tries nothing; pass 1 or more")
    start = at_random if kind == "uniform" else _edge
    return perturb(
        problem,
        inputs,
        threat,
        steps=0,
        restarts=draws,
        start=start,
        attack=f"noise-{kind}",
        knowledge="score",
        **common,
    )


def _edge(ball: Ball, streams: Streams) -> Tensor:
    return ball.edge(streams)
