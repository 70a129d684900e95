"""What makes a robustness figure suspicious, seen from a suite's result and three more passes."""

from dataclasses import replace

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.suites.worst import SuiteResult
from rgbdsod.types import Inputs

_MASKED = 0.002  # share of samples that only queries fool, from which on gradients look masked


def suspicions(result: SuiteResult, problem: Problem, inputs: Inputs, threat: Threat) -> SuiteResult:
    """The result with notes on what its figures may hide.

    Args:
        result: of a suite.
        problem, inputs, threat: what it attacked.
    """
    notes = []
    with Engine.open(problem, inputs, threat, attack="suspicion") as engine:
        if engine.balls:
            first, again = engine.evaluate(engine.clean).value, engine.evaluate(engine.clean).value
            if not torch.allclose(first, again, rtol=1e-4, atol=1e-6):
                notes.append('the model answers differently each time: use version "rand", which averages gradients')
            dead = dead_share(engine)
            if float(dead.max()) > 0:
                notes.append(
                    f"{int((dead > 0).sum())} of {len(dead)} samples have gradients that are exactly 0: gradient "
                    "attacks are blind there; trust the queries, or attack through a differentiable substitute"
                )
    if problem.kind == "classes" and looks_like_probabilities(problem, inputs):
        notes.append("the scores look like probabilities: pass logits, or saturated gradients hide weaknesses")
    for number, name in enumerate(result.members):
        alone = int(((result.winner == number) & result.fooled.cpu()).sum()) if name.startswith("square") else 0
        if alone > _MASKED * len(result.fooled):
            notes.append(f"{name} fools {alone} samples that no gradient attack fooled: gradients may be masked")
    return replace(result, notes=tuple(notes))


def dead_share(engine: Engine) -> Tensor:
    """The share (B,) of the attacked inputs whose gradient is 0 everywhere at the clean point."""
    gradients = engine.gradient(engine.clean).gradients
    return torch.stack([value.flatten(1).abs().amax(1) == 0 for value in gradients.values()]).float().mean(0)


@torch.no_grad()
def looks_like_probabilities(problem: Problem, inputs: Inputs) -> bool:
    """Whether all scores lie in [0, 1] and add up to 1."""
    with Engine.open(problem, inputs, {}, attack="suspicion") as engine:
        outputs = engine.forward({})
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        return False
    sums = outputs.sum(1)
    return bool((outputs >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
