"""The direction from the gradient, the norm from a rule of its own: DDN."""

import math
from typing import Unpack

import torch

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts, check_numbers
from rgbdsod.attacks.norms import unit
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs


def ddn(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    start_radius: float = 1.0,
    decay: float = 0.05,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 change: a radius that shrinks while the sample is fooled and grows while it is not.

    The direction lowers the gap to the nearest way out; the paper's, the loss, ends no nearer on classes and farther on
    maps, where it also turns pixels that the success rule does not need.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2"; a change beyond the radius does not count.
        steps: how many.
        start_radius: the first radius.
        decay: by which share the radius changes at each step.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a setting out of its range; inputs or threat that do not fit the problem or the attack.

    Source: Rony et al., "Decoupling Direction and Norm", arXiv 1811.09600, algorithm 1.
    """
    check_counts(steps=steps)
    check_numbers(start_radius=start_radius)
    check_numbers(below=1, decay=decay)
    with Search.open(problem, inputs, threat, attack="ddn", norms=("l2",), **common) as search:
        clean = search.space.clean
        delta, radius = torch.zeros_like(clean), clean.new_full((len(clean), 1), start_radius)
        for step in range(steps):
            if step == 1:  # who was fooled from the start is done
                delta, radius = search.leave(search.best == 0, delta, radius)
            clean = search.space.clean
            look = search.gradient(clean + delta)
            size = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
            delta = delta - size * unit(look.gradient, 2)
            radius = radius * torch.where(look.fooled, 1 - decay, 1 + decay)[:, None]
            delta = search.space.clip(clean + radius * unit(delta, 2)) - clean
            search.note(step + 1, steps)
        search.evaluate(search.space.clean + delta)
        return search.result(steps)
