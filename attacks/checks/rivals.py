"""Attacks that see less must not do more."""

import torch

from rgbdsod.attacks.checks.check import Check, Patient
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.table import ATTACKS

_SLACK = 0.02
_DRAWS = 20
_QUERIES = 200


def noise(patient: Patient, result: Result) -> Check:
    """Random changes of the same size are weaker."""
    strong = patient.value(result.inputs)
    weak = torch.stack([patient.attack(ATTACKS["noise"], kind=kind, draws=_DRAWS).loss for kind in ("uniform", "sign")])
    beaten = weak.amax(0) > strong + _SLACK * strong.abs()
    return Check.of(
        "random noise is weaker",
        not bool(beaten.any()),
        f"mean loss {float(strong.mean()):.4g}, the worst of {2 * _DRAWS} draws {float(weak.amax(0).mean()):.4g}",
        f"noise is worse for {int(beaten.sum())} samples: the attack does not work here; check gradients and step size",
    )


def queries(patient: Patient, result: Result) -> Check:
    """Queries alone are weaker than gradients."""
    found = patient.attack(ATTACKS["square"], queries=_QUERIES)
    black, white = patient.value(found.inputs), patient.value(result.inputs)
    alone = found.fooled & ~result.fooled
    beaten = (black > white + _SLACK * white.abs()).float().mean()
    return Check.of(
        "queries are weaker than gradients",
        not bool(alone.any()) and float(beaten) < 0.1,
        f"mean loss {float(white.mean()):.4g}, by {_QUERIES} queries {float(black.mean()):.4g}; "
        f"{int(alone.sum())} samples are fooled by queries alone",
        "an attack that sees outputs only does better: gradients are masked (rounding, saturation, randomness); attack "
        "through a differentiable substitute (BPDA), with --eot 20, or judge the model by --attack square",
    )


def transfer(patient: Patient, result: Result, surrogate: Problem) -> Check:
    """Examples made on another model are weaker than those made on this one."""
    foreign = Patient(surrogate, patient.inputs, patient.threat, patient.row, patient.settings, patient.common)
    theirs, ours = patient.value(foreign.attack().inputs), patient.value(result.inputs)
    beaten = (theirs > ours + _SLACK * ours.abs()).float().mean()
    return Check.of(
        "transfer is weaker than an attack on the model itself",
        float(beaten) < 0.1,
        f"mean loss {float(ours.mean()):.4g}, with examples made on {surrogate.name} {float(theirs.mean()):.4g}",
        f"examples made on {surrogate.name} do better on {100 * float(beaten):.0f} % of the samples: this model's "
        "gradients are masked; trust the transfer, and repair the gradients",
    )
