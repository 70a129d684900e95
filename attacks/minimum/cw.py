"""A penalty on the change and on the gap, its weight bisected per sample: Carlini and Wagner's L2 attack."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.minimum.adam import Adam
from rgbdsod.attacks.minimum.rounds import Rounds
from rgbdsod.attacks.minimum.scale import fallen, first_weight, pace, penalised, way_out
from rgbdsod.attacks.minimum.variables import Clipped, Squashed
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.search import Search
from rgbdsod.types import Inputs


def cw(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 100,
    rounds: int = 3,
    step_size: float | None = None,
    weight: float | None = None,
    confidence: float = 0.0,
    change_of_variables: bool = False,
    **common: Unpack[Common],
) -> Result:
    """The smallest L2 change: Adam on its square plus a weight times the gap, in rounds that bisect the weight.

    Each sample has its own weight, and begins its next round as soon as its last one ends or stops to improve; one that
    is through with its rounds leaves the batch. So T steps and R rounds cost at most R T passes.

    The paper's own search is `steps=10000, rounds=9, step_size=0.01, weight=1e-3, change_of_variables=True`. By default
    weight and steps follow from the first gradient, which says how far the nearest way out is: then three rounds find
    what nine find otherwise, whatever the scale of the model's outputs and of the inputs.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l2"; a change beyond the radius does not count.
        steps: the most steps of a round.
        rounds: weights tried.
        step_size: Adam's, per value. None: 0.3 times the estimated distance, over the root of the number of values,
            and falling to a hundredth in the course of a round.
        weight: the gap's in the first round. None: four times what a linear model would need.
        confidence: by how much the gap must be overshot, 0 or more, in units of the model's outputs.
        change_of_variables: optimise the inverse tanh of the inputs, as in the paper. Values of exactly 0 or 1, such as
            the holes of a depth map, then hardly move.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: steps, rounds or confidence out of range.

    Source: Carlini and Wagner, "Towards Evaluating the Robustness of Neural Networks", arXiv 1608.04644, section V.B.
    """
    check_counts(steps=steps, rounds=rounds)
    form = Squashed() if change_of_variables else Clipped()
    with Search.open(problem, inputs, threat, attack="cw", norms=("l2",), confidence=confidence, **common) as search:
        _, start, far = way_out(search, confidence)
        start = form.start(search.space) if change_of_variables else start
        look = search.gradient(form.point(search.space, start))
        play = Rounds.begin(first_weight(look, far) if weight is None else torch.full_like(far, weight))
        adam, free = Adam.begin(search.space.clean), start
        for step in range(1, rounds * steps + 1):
            space, point = search.space, form.point(search.space, free)
            objective, slope = penalised(look, point - space.clean, play.weight, confidence)
            adam, way = adam.after(form.pull(space, free, slope), play.age)
            free = form.moved(space, free, way * _size(step_size, far, search, play, steps))
            play, ended = play.after(objective, look.fooled, steps)
            adam, free = adam.fresh(ended), torch.where(ended[:, None], start, free)
            search.note(step, rounds * steps)
            done = (play.played >= rounds) | (search.best == 0)
            free, start, far, *rest = search.leave(done, free, start, far, *play, *adam)
            play, adam = Rounds(*rest[: len(play)]), Adam(*rest[len(play) :])
            if not len(search) or step == rounds * steps:
                break
            look = search.gradient(form.point(search.space, free))
        return search.result(steps)


def _size(step_size: float | None, far: Tensor, search: Search, play: Rounds, steps: int) -> Tensor | float:
    """The step per value: a given one, or one that suits the distance found.

    As long as there is none, the estimate, doubled for each round behind.
    """
    if step_size is not None:
        return step_size
    distance = torch.where(torch.isfinite(search.best), search.best, far * 2**play.played)
    return pace(distance, search.space, fallen(play.age / steps))
