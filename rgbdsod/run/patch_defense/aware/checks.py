"""What proves that attacks on a defence work: none of this says anything of the defence itself."""

from collections.abc import Mapping
from math import isclose
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks import Budget, Problem, perturb
from rgbdsod.attacks.randomness import Streams
from rgbdsod.run.patch_defense.aware.campaign import Campaign
from rgbdsod.run.patch_defense.behind import Behind, behind

CHECKS = ("check_whole", "check_longer", "check_gradient")
"""Columns of samples: whether a patch on everything succeeds; how much better an image stands under twice the steps;
the cosine of gradient and differences, where the gradient is said to be exact."""

_STEPS, _STEP = 20, 0.1
_WAYS, _GRID, _SPREAD = 24, 8, 2e-3

Checks = Mapping[str, Any]


def check(campaign: Campaign, checked: frozenset[str]) -> list[Checks]:
    """The checks of each image; None on those that are not tested.

    Args:
        campaign: the attacks, done.
        checked: ids of the images that are.
    """
    none: Checks = dict.fromkeys(CHECKS)
    found = [none] * len(campaign.subject.ids)
    rows = [
        row for row, name in enumerate(campaign.subject.ids)
        if name in checked and campaign.unaware[row].patch is not None
    ]  # fmt: skip
    if not rows or not campaign.entry.attackable:
        return found
    whole, longer = _whole(campaign, rows), _longer(campaign, rows)
    exact = campaign.entry.purifier.differentiable == "exact"
    for at, row in enumerate(rows):
        cosine = _cosine(campaign, row) if exact else None
        found[row] = {"check_whole": whole[at], "check_longer": longer[at], "check_gradient": cosine}
    return found


def _problem(campaign: Campaign) -> Behind:
    return Behind(campaign.subject.problem, campaign.entry.purifier, objects=campaign.subject.objects)


def _whole(campaign: Campaign, rows: list[int]) -> list[bool]:
    """Whether an image falls below half of what it stands at where everything in it may change."""
    subject, modality = campaign.subject, campaign.choice.patch.modality
    index = torch.tensor(rows, device=subject.objects.device)
    names = ("rgb", "depth") if modality == "both" else (modality,)
    inputs = {name: value[index] for name, value in subject.inputs.items()}
    result = perturb(
        cast(Problem, _problem(campaign).select(index)), inputs, {name: Budget(eps=1.0) for name in names},
        steps=_STEPS, step_size=_STEP, seed=campaign.choice.seed, sample_ids=[subject.ids[row] for row in rows],
    )  # fmt: skip
    everything = {name: value.index_copy(0, index, result.inputs[name]) for name, value in subject.inputs.items()}
    nothing = torch.zeros_like(subject.objects)
    ready = campaign.entry.ready(nothing, subject.ids)
    before, after = (behind(ready, inputs, subject, nothing)[0] for inputs in (subject.inputs, everything))
    return [_fallen(before[row].held, after[row].held) for row in rows]


def _fallen(before: float, after: float) -> bool:
    return after <= before / 2 if before > 0 else after < before or isclose(after, before)


def _longer(campaign: Campaign, rows: list[int]) -> list[float]:
    """How much better an image stands under twice the steps of the plan's first attack: above 0 they weaken it."""
    first = campaign.attacks[0]
    before = [next((hit for hit in campaign.hits[row] if hit.name == first.name), None) for row in rows]
    after = campaign.looked(rows, campaign.patches(first.longer(2), rows))[0]
    return [0.0 if one is None else after[row].held - one.look.held for one, row in zip(before, rows, strict=True)]


def _cosine(campaign: Campaign, row: int) -> float:
    """The cosine between slopes along smooth random ways under the patch, by the gradient and by differences."""
    subject = campaign.subject
    index = torch.tensor([row], device=subject.objects.device)
    problem, hidden = _problem(campaign).select(index), campaign.unaware[row].covered[None]
    names = [name for name in subject.inputs if name in ("rgb", "image", "depth")]
    name = "depth" if campaign.choice.patch.modality == "depth" else names[0]
    base = {key: value[index] for key, value in campaign.unaware[row].result.inputs.items()}
    centre = base[name].clamp(0.1, 0.9).requires_grad_()
    slope = torch.autograd.grad(problem.loss(problem.forward({**base, name: centre})).sum(), centre)[0]

    def value(at: Tensor) -> float:
        with torch.no_grad():
            return float(problem.loss(problem.forward({**base, name: at})).double())

    guessed, measured = [], []
    for number in range(_WAYS):
        coarse = Streams(campaign.choice.seed, [subject.ids[row]], "check", number).normal(centre[..., :_GRID, :_GRID])
        way = interpolate(coarse, centre.shape[-2:], mode="bilinear") * hidden
        guessed.append(float((slope * way).sum()))
        measured.append((value(centre.detach() + _SPREAD * way) - value(centre.detach() - _SPREAD * way)) / 2 / _SPREAD)
    return float(torch.cosine_similarity(torch.tensor(guessed), torch.tensor(measured), dim=0))
