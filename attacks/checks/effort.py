"""More effort and more room must never help the model."""

import math
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.checks.check import Check, Patient
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.table import ATTACKS

_SLACK = 0.02  # relative loss that other random numbers or float noise explain
_LATE = 0.1  # share of the gain from which on the last tenth of the steps says that the attack was still at work
_CURVE_STEPS = 50
_FEW = 4  # points of a trace that have no last tenth to speak of


def more_steps(patient: Patient, steps: int, result: Result) -> Check:
    """Twice as many steps are never worse; and their gain says whether the attack had converged."""
    before, after = result.loss, patient.attack(steps=2 * steps).loss
    worse = after < before - _SLACK * before.abs().clamp_min(1e-6)
    gain = (after - before).mean() / (before - result.start_loss).mean().abs().clamp_min(1e-9)
    return Check.of(
        "more steps are never worse",
        not bool(worse.any()),
        f"{2 * steps} instead of {steps} steps change the loss by {100 * float(gain):+.1f} % of what the attack gained",
        f"{int(worse.sum())} samples come out better with more steps: smaller --step-size, or --restarts",
    )


def late_gain(result: Result) -> Tensor | None:
    """The share (B,) of an attack's gain that the last tenth of its steps brought; None for attacks of few steps."""
    if result.distance is not None or result.trace.shape[1] < _FEW:
        return None
    best = result.trace[0].cummax(0).values
    late = best[-1] - best[-1 - math.ceil(0.1 * len(best))]
    return late / (best[-1] - best[0]).clamp_min(1e-12)


def converged(late: Tensor) -> Check:
    """The best loss hardly rises any more in the last tenth of the steps.

    Args:
        late: what `late_gain` says of each sample.
    """
    share = float(late.mean())
    return Check.of(
        "the loss has levelled off",
        share < _LATE,
        f"the last tenth of the steps brought {100 * share:.1f} % of the gain",
        "the attack was still rising when it stopped, so the model looks better than it is: raise --steps",
    )


def rises(gain: Tensor) -> Check:
    """The attack ends above its start.

    Args:
        gain: the tracked value at the end minus that at the start, (B,).
    """
    share = float((gain > 0).float().mean())
    return Check.of(
        "the loss rises",
        share >= 0.9,
        f"{100 * share:.0f} % of the samples end above their start",
        "steps along the gradient do not raise the loss: the gradient is wrong or masked; try --attack square",
    )


def iterative(patient: Patient, result: Result) -> Check:
    """Many steps beat a single one."""
    single = patient.value(patient.attack(ATTACKS["fgsm"]).inputs)
    many = patient.value(result.inputs)
    return Check.of(
        "many steps beat one",
        float(many.mean()) >= float(single.mean()) - _SLACK * abs(float(single.mean())),
        f"mean loss {float(many.mean()):.4g}, with one step of the full radius {float(single.mean()):.4g}",
        "one step does better than many: local gradients mislead; try --restarts 5, or a larger --step-size",
    )


def wider(patient: Patient) -> list[Check]:
    """Success never falls as the radius grows, and in the end every sample is fooled."""
    factors = _factors(patient)
    rates = []
    for factor in factors:
        threat = {name: _grown(budget, factor, patient.inputs[name]) for name, budget in patient.threat.items()}
        found = patient.attack(ATTACKS["apgd"], threat=threat, steps=_CURVE_STEPS, stop=True)
        rates.append(float(found.fooled.float().mean()))
    curve = ", ".join(f"{100 * rate:.0f} %" for rate in rates)
    slack = 1.5 / len(next(iter(patient.inputs.values())))
    falls = any(later < sooner - slack for sooner, later in pairwise(rates))
    return [
        Check.of(
            "a larger radius fools more",
            not falls,
            f"fooled: {curve} at {', '.join(f'{factor:.3g}' for factor in factors)} times the radius",
            "the success falls as the radius grows: the attack loses its way; try --attack autoattack",
        ),
        Check.of(
            "the whole range fools all",
            rates[-1] >= 1 - slack / 2,
            f"{100 * rates[-1]:.0f} % fooled when every value may be anything",
            "some samples stand although nothing bounds the attack: their gradients are masked, or the success rule "
            "cannot be met through this input alone; try --attack square, or attack both inputs",
        ),
    ]


def _factors(patient: Patient) -> list[float]:
    """1, 2, 4, ... up to the whole range."""
    most = max(_whole(budget, patient.inputs[name]) / _radius(budget) for name, budget in patient.threat.items())
    count = 5
    return [most ** (at / (count - 1)) for at in range(count)]


def _radius(budget: Budget) -> float:
    return float(budget.eps.max() if isinstance(budget.eps, Tensor) else budget.eps)


def _whole(budget: Budget, clean: Tensor) -> float:
    """The radius that reaches every point of the box."""
    size = clean[0].numel()
    return {"linf": 1.0, "l2": math.sqrt(size), "l1": float(size)}[budget.norm]


def _grown(budget: Budget, factor: float, clean: Tensor) -> Budget:
    return replace(budget, eps=min(_radius(budget) * factor, _whole(budget, clean)))
