"""From pictures and settings to patches: place them, run the core, lay the found patches on the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.differences import Differences
from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.core import Common, Estimate, Start, perturb, plain
from rgbdsod.attacks.door import workable
from rgbdsod.attacks.gradient.pgd_adam import Adam
from rgbdsod.attacks.patch.expectation import Expectation, looks
from rgbdsod.attacks.patch.ghosts import ghost_region
from rgbdsod.attacks.patch.hanging import hung_as, variables
from rgbdsod.attacks.patch.layout import Known, Layout, Spot, layers_of, sensitivity, with_place
from rgbdsod.attacks.patch.learned import PLACE, numbers_of
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.placement import Placement
from rgbdsod.attacks.patch.pose import homographies
from rgbdsod.attacks.patch.problem import PLANE, RELIEF, PatchProblem, variables_of
from rgbdsod.attacks.patch.result import PatchResult, stretched
from rgbdsod.attacks.patch.scene import Scene, Setting
from rgbdsod.attacks.patch.scores import coarse_signs
from rgbdsod.attacks.patch.steering import steer_of, steered
from rgbdsod.attacks.patch.steps import Apart, going_on, middle, step_of
from rgbdsod.attacks.patch.warp import footprint
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.result import Result
from rgbdsod.types import Inputs

_TRIAL = 10  # steps of the short attack that compares places
_SPREAD = 0.05  # of the pairs of SPSA: what is rounded or ranked on the way is still told apart

SEARCHES = ("gradient", "spsa")
"""How a patch is sought: by gradients, or by scores alone."""


@dataclass(frozen=True, eq=False)
class Pursuit:
    """How a patch is sought.

    Args:
        setting: what does not change meanwhile.
        changed: the inputs that carry it.
        steps: of a restart.
        step_size: of a pixel.
        restarts: runs from different starts.
        start: where each begins.
        draws: of the transforms in one gradient.
        search: one of `SEARCHES`.
        queries: for one gradient of SPSA.
        begun: patches to go on from, one for each picture; None: from `start`.
    """

    setting: Setting
    changed: tuple[str, ...]
    steps: int
    step_size: float
    restarts: int
    start: Start
    draws: int
    search: str = "gradient"
    queries: int = 128
    begun: Sequence[Patch | None] | None = None

    def select(self, index: Tensor) -> "Pursuit":
        """The same for some of the pictures."""
        return self if self.begun is None else replace(self, begun=[self.begun[row] for row in index.tolist()])

    def problem(self, victim: Problem, inputs: Inputs, threat: Threat, ids: Sequence[str],
                spots: Sequence[Sequence[Spot]]) -> PatchProblem:  # fmt: skip
        """The patch's problem at these places."""
        setting = self.setting
        clean = {name: workable(inputs[name]) for name in self.changed}
        image = next(iter(clean.values()))
        layers = layers_of(spots)
        objects = getattr(victim, "objects", None)
        ghost = None
        if setting.goal in ("ghost", "swap") and objects is not None:
            size, canvas = (image.shape[-2], image.shape[-1]), tuple(setting.alpha.shape[-2:])
            shadow = footprint(setting.alpha[None], homographies(layers[0].pose, (canvas[0], canvas[1]), size), size)
            ghost = ghost_region(objects, shadow.to(objects.device))
        scene = Scene(clean, layers, ids, {name: threat[name] for name in self.changed}, objects, ghost)
        found = PatchProblem(victim, scene, setting)
        return found.drawn(*looks(self.draws)) if setting.transforms.random else found

    def run(self, problem: PatchProblem, inputs: Inputs, common: Common) -> Result:
        """The core's result in the patch's variables, colours on the grid of 8 bit."""
        points, family = self.variables(inputs, list(common.get("sample_ids") or ())), self.setting.family
        if self.setting.learned:
            points[PLACE] = problem.begun_at().to(next(iter(points.values())))
        whole = Budget(eps=0.5, levels=255)
        own = {family.variable: family.budget, PLANE: Budget(eps=0.5), PLACE: Budget(eps=1.0)}
        budgets = {name: own.get(name, whole) for name in points}
        untouched = {name: value for name, value in inputs.items() if name not in self.changed}
        estimate = self._estimate(problem, common.get("eot", 1))
        return perturb(
            cast(Problem, problem),
            {**points, **untouched},
            budgets,
            steps=self.steps if points else 0,
            step_size=step_of(self.step_size),
            restarts=self.restarts,
            start=self._start(next(iter(inputs.values()))),
            rule=Adam if self.search == "spsa" else Apart,
            estimate=estimate,
            knowledge="score" if self.search == "spsa" else "white",
            attack="patch",
            **common,
        )

    def _estimate(self, problem: PatchProblem, eot: int) -> Estimate:
        """How gradients are found."""
        if self.search == "spsa":
            return Differences(coarse_signs, self.queries, _SPREAD, "objective")
        if steer_of(problem) is not None:
            return steered(eot, self.steps, self.draws if self.setting.transforms.random else 0)
        return Expectation(self.steps, self.draws) if self.setting.transforms.random else plain

    def _start(self, image: Tensor) -> Start:
        """Where a restart begins."""
        if self.begun is None:
            return self.start
        return going_on([None if own is None else self._points(own, workable(image[:1])) for own in self.begun])

    def _points(self, patch: Patch, like: Tensor) -> dict[str, Tensor]:
        """A patch that is there in the variables of a problem, and where it hangs if that is one of them."""
        found = variables(patch, like)
        if self.setting.learned and "turn" in patch.facts:
            pose = hung_as(patch, self.setting.span)
            found[PLACE] = numbers_of(pose, self.setting.span, (like.shape[-2], like.shape[-1])).to(like)
        return found

    def variables(self, inputs: Inputs, ids: Sequence[str]) -> dict[str, Tensor]:
        """The variables at the middle of their range, a patch for each id."""
        like, family = workable(next(iter(inputs.values()))), self.setting.family
        rows, height, width = len(ids), *self.setting.alpha.shape[-2:]
        shapes: dict[str, tuple[int, ...]] = {PLANE: (rows, 3), RELIEF: (rows, 1, height, width)}
        wanted = variables_of(self.changed, self.setting)
        own = {family.variable: family.centre(ids, like, (height, width))} if family.variable in wanted else {}
        return own | middle({name: shapes[name] for name in wanted if name in shapes}, like)


def seek(
    problem: Problem, inputs: Inputs, threat: Threat, pursuit: Pursuit, placement: Placement, common: Common,
    facts: Mapping[str, Any],
) -> PatchResult:  # fmt: skip
    """A patch for each picture that has a place for it.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        pursuit: how patches are sought.
        placement: where they go.
        common: see `Common`; with ids.
        facts: what is written into the patches.
    """
    ids = list(common.get("sample_ids") or ())
    image = next(iter(inputs.values()))
    if not pursuit.changed:
        return _nothing(perturb(problem, inputs, threat, steps=0, attack="patch", **common), image)
    setting = pursuit.setting
    layout = Layout(
        placement, setting.alpha, setting.span, (image.shape[-2], image.shape[-1]), setting.seed, setting.share
    )
    extra = (torch.zeros(len(ids), dtype=torch.int64), torch.zeros(len(ids), dtype=torch.int64))
    spots: Sequence[Sequence[Spot]]
    if placement.where == "worst":
        spots, extra = _worst(problem, inputs, threat, pursuit, layout, common)
    else:
        spots = layout.spots(ids, Known.of(problem))
    index, found = with_place(spots)
    if not len(index):
        return _nothing(perturb(problem, inputs, {}, steps=0, attack="patch", **common), image, placed=False)
    some, budgets, own = some_rows(problem, inputs, threat, index)
    own_ids, chosen = [ids[row] for row in index.tolist()], pursuit.select(index)
    patched = chosen.problem(own, some, budgets, own_ids, found)
    result = chosen.run(patched, some, {**common, "sample_ids": own_ids})
    result = replace(result, forward=result.forward + extra[0][index], backward=result.backward + extra[1][index])
    return _spread(_laid(patched, result, some, budgets, pursuit.changed, facts), inputs, index, pursuit.changed)


def some_rows(problem: Problem, inputs: Inputs, threat: Threat, index: Tensor) -> tuple[Inputs, Threat, Problem]:
    """Inputs, budgets and problem of some samples; all of them as they are."""
    image = next(iter(inputs.values()))
    if len(index) == len(image):
        return inputs, threat, problem
    at = index.to(image.device)
    some = {name: value[at] for name, value in inputs.items()}
    return some, {name: budget.select(at) for name, budget in threat.items()}, problem.select(at)


@torch.no_grad()
def _laid(
    problem: PatchProblem,
    result: Result,
    inputs: Inputs,
    threat: Threat,
    changed: Sequence[str],
    facts: Mapping[str, Any],
) -> PatchResult:
    """The found patches on their pictures."""
    placed = problem.placed(result.inputs)
    found = dict(inputs)
    for name, value in placed.inputs.items():
        if name in changed:
            grid = threat[name].levels
            found[name] = quantise(value, workable(inputs[name]), threat[name]) if grid else value
    places, patches = problem.patches(result.inputs, facts)
    depth = found.get("depth")
    stretch = torch.zeros(len(places))
    if depth is not None and "depth" in changed:
        stretch = stretched(inputs["depth"], depth, placed.mask)
    return PatchResult(
        **{**vars(result), "inputs": found},
        mask=placed.mask,
        places=places,
        placed=torch.ones(len(places), dtype=torch.bool),
        patches=list(patches),
        stretch=stretch,
    )


def _worst(
    problem: Problem, inputs: Inputs, threat: Threat, pursuit: Pursuit, layout: Layout, common: Common
) -> tuple[list[list[Spot]], tuple[Tensor, Tensor]]:
    """For each picture the best of some promising places after a short attack; and what that cost in passes."""
    ids = list(common.get("sample_ids") or ())
    weights, forward, backward = sensitivity(problem, inputs, threat, common)
    options = [layout.promising(own) for own in weights]
    short = replace(pursuit, steps=min(_TRIAL, pursuit.steps), restarts=1)
    losses = []
    for turn in range(max(map(len, options))):
        spots = [[own[min(turn, len(own) - 1)]] for own in options]
        trial = short.run(short.problem(problem, inputs, threat, ids, spots), inputs, {**common, "callback": None})
        forward, backward = forward + trial.forward, backward + trial.backward
        losses.append(trial.loss)
    best = torch.stack(losses).argmax(0).tolist()
    return [[own[min(turn, len(own) - 1)]] for own, turn in zip(options, best, strict=True)], (forward, backward)


def _nothing(result: Result, image: Tensor, *, placed: bool = True) -> PatchResult:
    """A result without any patch."""
    samples = len(image)
    return PatchResult(
        **vars(result),
        mask=torch.zeros(samples, 1, *image.shape[-2:], dtype=torch.bool, device=image.device),
        places=torch.zeros(samples, 3, 3, dtype=torch.float64),
        placed=torch.full((samples,), placed),
        patches=[None] * samples,
        stretch=torch.zeros(samples),
    )


def _spread(result: PatchResult, inputs: Inputs, index: Tensor, changed: Sequence[str]) -> PatchResult:
    """The result for all pictures, of which those outside the index had no place."""
    samples = len(next(iter(inputs.values())))
    if len(index) == samples:
        return result

    def fill(value: Tensor, base: Tensor) -> Tensor:
        return base.index_copy(0, index.to(base.device), value.to(base))

    def per_sample(value: Tensor, rest: float) -> Tensor:
        return fill(value, value.new_full((samples, *value.shape[1:]), rest))

    patches: list[Patch | None] = [None] * samples
    for row, own in zip(index.tolist(), result.patches, strict=True):
        patches[row] = own
    trace = result.trace.movedim(-1, 0)
    return replace(
        result,
        inputs={name: fill(result.inputs[name], value) if name in changed else value for name, value in inputs.items()},
        start_loss=per_sample(result.start_loss, torch.nan), loss=per_sample(result.loss, torch.nan),
        fooled=per_sample(result.fooled, 0), forward=per_sample(result.forward, 0),
        backward=per_sample(result.backward, 0), trace=per_sample(trace, torch.nan).movedim(0, -1),
        mask=per_sample(result.mask, 0), places=per_sample(result.places, 0), placed=per_sample(result.placed, 0),
        patches=patches, stretch=per_sample(result.stretch, 0),
    )  # fmt: skip
