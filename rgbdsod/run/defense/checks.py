"""What proves that attacks on a defence work: none of this says anything of the defence itself."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks import Budget, MapProblem, perturb
from rgbdsod.attacks.randomness import Streams
from rgbdsod.defenses import Chain
from rgbdsod.models import SaliencyModel
from rgbdsod.run.defense.front import Front
from rgbdsod.run.defense.verdict import Judge, Verdict
from rgbdsod.types import Inputs

CHECKS = ("check_whole", "check_longer", "check_gradient")
"""Columns of samples: whether an attack without a radius breaks the image; how much better it stands under twice the
steps; the cosine of gradient and differences, where the gradient is said to be exact and nothing is drawn."""

CHECKED = 3
"""Images, from the first on, that are tested."""

_STEPS, _STEP = 20, 0.1
_WAYS, _GRID, _SPREAD = 24, 8, 2e-3


def unbounded(
    model: SaliencyModel, chain: Chain, ids: Sequence[str], clean: Inputs, masks: Tensor, names: Sequence[str],
    before: Sequence[Verdict], eot: int,
) -> list[bool]:  # fmt: skip
    """Whether each image falls below half of what it stands at where the attacked inputs may become anything."""
    problem = MapProblem(Front(model, chain, ids, "whole"), masks)
    result = perturb(
        problem, clean, {name: Budget(eps=1.0) for name in names}, steps=_STEPS, step_size=_STEP, sample_ids=list(ids),
        eot=eot if chain.random else 1,
    )  # fmt: skip
    after = Judge(model, ids, masks >= 0.5, 1)(chain, result.inputs)
    return [later.iou <= early.iou / 2 for early, later in zip(before, after, strict=True)]


def cosine(model: SaliencyModel, chain: Chain, ids: Sequence[str], clean: Inputs, masks: Tensor, name: str) -> float:
    """The cosine between slopes along smooth random ways, by the gradient and by differences, over a batch."""
    problem = MapProblem(Front(model, chain, ids, "gradient"), masks)
    centre = clean[name].clamp(0.1, 0.9).requires_grad_()
    slope = torch.autograd.grad(problem.loss(problem.forward({**clean, name: centre})).sum(), centre)[0]

    def value(at: Tensor) -> float:
        with torch.no_grad():
            return float(problem.loss(problem.forward({**clean, name: at})).double().sum())

    guessed, measured = [], []
    for number in range(_WAYS):
        coarse = Streams(0, ids, "check", number).normal(centre[..., :_GRID, :_GRID])
        way = interpolate(coarse, centre.shape[-2:], mode="bilinear")
        guessed.append(float((slope * way).sum()))
        measured.append((value(centre.detach() + _SPREAD * way) - value(centre.detach() - _SPREAD * way)) / 2 / _SPREAD)
    return float(torch.cosine_similarity(torch.tensor(guessed), torch.tensor(measured), dim=0))


def untested() -> dict[str, Any]:
    """The columns of an image that is not tested."""
    return dict.fromkeys(CHECKS)
