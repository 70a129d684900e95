"""Whether the model's gradients are there, are repeatable, and are right."""

import torch
from torch import Tensor

from rgbdsod.attacks.checks.check import Check, Patient
from rgbdsod.attacks.checks.suspicion import dead_share
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.randomness import stream
from rgbdsod.types import Inputs

_DIRECTIONS = 10
_STEPS = (1e-2, 3e-3, 1e-3)
_AGREED = 0.9  # of piecewise linear networks in float32; smooth ones reach 0.999


def gradients(patient: Patient) -> list[Check]:
    """Repeatable outputs, gradients that are not 0, and slopes that finite differences confirm."""
    with Engine.open(patient.problem, patient.inputs, patient.threat, attack="check") as engine:
        return [_repeatable(engine), _alive(engine), _true(engine)]


def _repeatable(engine: Engine) -> Check:
    first, again = (engine.evaluate(engine.clean).value for _ in range(2))
    gap = float((first - again).abs().max())
    return Check.of(
        "two identical passes agree",
        gap <= 1e-4 * float(first.abs().max()) + 1e-7,
        f"the loss differs by {gap:.2g}",
        "the model answers at random: average gradients over several passes with --eot 20",
    )


def _alive(engine: Engine) -> Check:
    dead = dead_share(engine)
    return Check.of(
        "gradients are not 0",
        not bool((dead > 0).any()),
        f"{int((dead > 0).sum())} of {len(dead)} samples have an input whose gradient is exactly 0",
        "where the gradient is 0 a gradient attack stays put: look for saturated or rounded outputs, attack another "
        "--objective such as margin, or use --attack square",
    )


def _true(engine: Engine) -> Check:
    """The best agreement over some step sizes: too small a step drowns in rounding, too large a one bends."""
    slopes = engine.gradient(engine.clean).gradients
    ways = [_ways(engine, number) for number in range(_DIRECTIONS)]
    told = torch.stack([_along(way, slopes) for way in ways])
    best = torch.full_like(told[0], -1.0)
    for step in _STEPS:
        seen = torch.stack([_difference(engine, way, step) for way in ways])
        best = torch.maximum(best, torch.cosine_similarity(told, seen, dim=0))
    share = float((best >= _AGREED).float().mean())
    return Check.of(
        "gradients agree with finite differences",
        share >= 0.8,
        f"cosine over {_DIRECTIONS} directions: median {float(best.median()):.3f}, least {float(best.min()):.3f}",
        "autograd's slopes are not the model's: a rounding, a straight-through substitute or a detached branch lies "
        "between; name it and attack through a differentiable substitute (BPDA)",
    )


def _ways(engine: Engine, number: int) -> dict[str, Tensor]:
    """A random sign for every value, the same for all samples."""
    ways = {}
    for name, clean in engine.clean.items():
        drawn = torch.randn(clean.shape[1:], generator=stream(0, "check", number, name)).sign()
        ways[name] = engine.balls[name].masked(drawn.to(clean).expand_as(clean))
    return ways


def _difference(engine: Engine, way: Inputs, step: float) -> Tensor:
    """The symmetric difference quotient of the raised loss, (B,)."""
    ahead, back = (
        _loss(engine, {name: clean + sign * step * way[name] for name, clean in engine.clean.items()})
        for sign in (1, -1)
    )
    return (ahead - back) / (2 * step)


@torch.no_grad()
def _loss(engine: Engine, points: Inputs) -> Tensor:
    """What the gradient is of, which need not be what points are ranked by."""
    return engine.problem.loss(engine.forward(points), 0.0)


def _along(way: Inputs, slopes: Inputs) -> Tensor:
    """The slope (B,) in a direction."""
    return torch.stack([(way[name] * slopes[name]).flatten(1).sum(1) for name in way]).sum(0)
