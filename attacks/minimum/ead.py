"""A penalty on the sum of absolute changes as well: the elastic-net attack EAD."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.rounds import Rounds
from rgbdsod.attacks.minimum.scale import fallen, penalised, way_out
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.attacks.space import Space
from rgbdsod.types import Inputs

_LEAST = 1e-3  # that the most changed value is expected to change
_ROOM, _SHARE = 2.0, 0.1  # over the weight that a linear model needs; of its largest change in the first step


def ead(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    rounds: int = 9,
    step_size: float | None = None,
    weight: float | None = None,
    l1_weight: float = 10.0,
    confidence: float = 0.0,
    **common: Unpack[Common],
) -> Result:
    """The smallest L1 change: accelerated shrinking steps on an elastic net plus a weighted gap, in rounds as cw.

    The gradient is taken at the extrapolated point, which is also what is judged: one pass forward and back per step.

    The paper's own search is `steps=1000, rounds=9, step_size=0.01, weight=1e-3, l1_weight=1e-3`. There a change of
    1/255 costs more as a square than as an absolute value, so what it finds is rather a small L2 change; ten makes it
    L1.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l1"; a change beyond the radius does not count.
        steps: the most steps of a round.
        rounds: weights tried.
        step_size: the first gradient step's. None: so that the steepest value moves by a tenth of the largest change of
            a linear model's way out. It falls along a cosine.
        weight: the gap's in the first round. None: twice what a linear model would need.
        l1_weight: of the absolute changes, against 1 for their squares.
        confidence: by how much the gap must be overshot, 0 or more, in units of the model's outputs.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: steps, rounds or confidence out of range.

    Source: Chen et al., "EAD: Elastic-Net Attacks to Deep Neural Networks via Adversarial Examples", arXiv 1709.04114,
    equations 7 and 8, algorithm 1.
    """
    check_counts(steps=steps, rounds=rounds)
    with Search.open(problem, inputs, threat, attack="ead", norms=("l1",), confidence=confidence, **common) as search:
        _, start, _ = way_out(search, confidence)
        look = search.gradient(start)
        far = (start - search.space.clean).abs().amax(1).clamp_min(_LEAST)
        steepest = look.gradient.abs().amax(1).clamp_min(torch.finfo(look.gradient.dtype).tiny)
        if weight is None:
            play = Rounds.begin(_ROOM * (l1_weight + 2 * far) / steepest)
        else:
            play = Rounds.begin(torch.full_like(steepest, weight))
        ahead = point = start
        for step in range(1, rounds * steps + 1):
            size = fallen(play.age / steps) * (
                _SHARE * far / (play.weight * steepest) if step_size is None else step_size
            )
            change = ahead - search.space.clean
            objective, slope = penalised(look, change, play.weight, confidence)
            last, point = point, _shrunk(search.space, ahead - size[:, None] * slope, l1_weight * size)
            ahead = search.space.clip(point + (play.age / (play.age + 3))[:, None] * (point - last))
            play, ended = play.after(objective + l1_weight * change.abs().sum(1), look.fooled, steps)
            point, ahead = (torch.where(ended[:, None], start, value) for value in (point, ahead))
            search.note(step, rounds * steps)
            done = (play.played >= rounds) | (search.best == 0)
            point, ahead, start, far, steepest, *rest = search.leave(done, point, ahead, start, far, steepest, *play)
            play = Rounds(*rest)
            if not len(search) or step == rounds * steps:
                break
            look = search.gradient(ahead)
        return search.result(steps)


def _shrunk(space: Space, vectors: Tensor, by: Tensor) -> Tensor:
    """Vectors drawn towards the clean ones by (B,) in every value, and clipped."""
    change = vectors - space.clean
    return space.clip(space.clean + change.sign() * (change.abs() - by[:, None]).clamp_min(0))
