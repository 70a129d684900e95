"""The nearest plane, again and again: DeepFool."""

from typing import Unpack

import torch

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts, check_numbers
from rgbdsod.attacks.minimum.nearest import nearest_exit, way_past
from rgbdsod.attacks.norms import unit
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs


def deepfool(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 50,
    overshoot: float = 0.02,
    exits: int = 10,
    **common: Unpack[Common],
) -> Result:
    """Steps to the nearest of the planes that the ways out look like from here, until the sample is fooled.

    Samples that are fooled leave the batch. With a success rule for a whole map there is one way out: the pixels that
    the rule still needs.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "linf" or "l2"; a change beyond the radius does not count.
        steps: how many at most.
        overshoot: by which share the sum of all steps is lengthened; it keeps the result clear of the turning point.
        exits: how many ways out (classes) to look at in a step, those with the smallest margins.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a setting out of its range; inputs or threat that do not fit the problem or the attack.

    Source: Moosavi-Dezfooli et al., "DeepFool: a simple and accurate method to fool deep neural networks", arXiv
    1511.04599, algorithm 2; Linf: equations 10 and 11.
    """
    check_counts(steps=steps, exits=exits)
    check_numbers(zero=True, overshoot=overshoot)
    with Search.open(problem, inputs, threat, attack="deepfool", norms=("linf", "l2"), **common) as search:
        total = torch.zeros_like(search.space.clean)
        for step in range(steps):
            look, value, slope, steep = nearest_exit(search, _overshot(search, total, overshoot), exits, standing=True)
            way = slope.sign() if search.space.norm == "linf" else unit(slope, 2)
            total = total - torch.where(look.fooled, 0.0, way_past(value, steep))[:, None] * way
            (total,) = search.leave(look.fooled, total)
            search.note(step + 1, steps)
            if not len(search):
                break
        search.evaluate(_overshot(search, total, overshoot))
        return search.result(steps)


def _overshot(search: Search, total: torch.Tensor, overshoot: float) -> torch.Tensor:
    """All steps so far from the clean input, a little longer than they were."""
    return search.space.clip(search.space.clean + (1 + overshoot) * total)
