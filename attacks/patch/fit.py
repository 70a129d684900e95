"""A patch for all pictures in the making: its steps, its looks, and what it takes to go on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.patch.balance import Balance
from rgbdsod.attacks.patch.design import Blueprint, colour_of, image_size
from rgbdsod.attacks.patch.expectation import Expectation, rounded
from rgbdsod.attacks.patch.keeping import Kept, digest
from rgbdsod.attacks.patch.layout import Known, Layout, Spot, with_place
from rgbdsod.attacks.patch.natural.family import LATENT, Family
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.placement import SEEKING
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.attacks.patch.problem import PLANE, PatchProblem
from rgbdsod.attacks.patch.seeking import Pursuit, some_rows
from rgbdsod.attacks.patch.steps import Annealed, grey, step_of
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import stream
from rgbdsod.attacks.universal.fitting import Batch, Batches
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class PatchFit:
    """A patch in the making.

    Args:
        batches: what it is fitted on.
        threat: budgets by input.
        plan: what it is to be.
        steps: in all.
        step_size: the first.
        draws: of the transforms in one gradient.
        precision: what the networks run in.

    Attributes:
        step: how many were made.
        digest: of all settings; a state of other settings is not gone on from.

    Raises:
        UsageError: no batches, or nothing to seek.
    """

    def __init__(
        self,
        batches: Batches,
        threat: Threat,
        plan: Blueprint,
        steps: int,
        step_size: float,
        draws: int,
        precision: str,
    ) -> None:
        self._batches = [Batch(*batch) for batch in batches] if not isinstance(batches, Sequence) else batches
        if not len(self._batches):
            raise UsageError("there are no batches to fit a patch on; pass at least one (problem, inputs)")
        if not plan.design["canvas"]:
            raise UsageError("--canvas 0: one patch for all pictures needs a size of its own, such as 64")
        if plan.placement.where in SEEKING:
            raise UsageError(
                f"--where {plan.placement.where} seeks a place for each picture; one patch for all takes another policy"
            )
        self._steps, self.step = steps, 0
        self._threat, self._plan, self._draws, self._precision = threat, plan, draws, precision
        first = Batch(*self._batches[0]).inputs
        self._changed = plan.changed(first, threat)
        if not self._changed:
            raise UsageError("no input may change, so no patch can be fitted; pass a radius above 0, usually 1")
        canvas = self._canvas(first)
        self._family: Family = plan.family(plan.bank(canvas, self._attacked()) if plan.photographs else None)
        self._nature = plan.nature(canvas, self._attacked())
        self._points = self._pursuit(first).variables(first, ["one"])
        self._estimate = Expectation(steps, draws)
        own = {self._family.variable: replace(self._family.budget, levels=None)}
        balls = {name: ball(value, own.get(name, Budget(eps=0.5))) for name, value in self._points.items()}
        like = next(iter(self._points.values()))
        sizes = {name: like.new_tensor(step_of(step_size)[name]) for name in self._points}
        self._rule = Annealed(balls, sizes, steps)
        self._best, self._value = dict(self._points), float("-inf")
        self._looks: list[float] = []
        self._balance = Balance()
        self.digest = digest(
            {**plan.facts(), "steps": steps, "step_size": step_size, "draws": draws, "precision": precision,
             "batches": len(self._batches), "changed": list(self._changed)}
        )  # fmt: skip

    @property
    def stopped(self) -> str | None:
        """Why it is to stop before its last step; None: it is not."""
        return self._balance.verdict

    def climb(self) -> None:
        """One step, on one batch in a seeded order."""
        epoch, place = divmod(self.step, len(self._batches))
        order = torch.randperm(len(self._batches), generator=stream(self._plan.seed, "patch", "order", epoch))
        number = int(order[place])
        self.step += 1
        found = self._open(number, f"step/{self.step}")
        if found is None:
            return
        problem, inputs, weights = found
        with self._engine(problem, inputs) as engine:
            evaluation = self._estimate.gradient(engine, self._spread(inputs), self.step, self.step / self._steps)
            engine.check_finite(evaluation.value[None, None])
        weights = weights.to(evaluation.value)
        mean = {name: torch.einsum("b,b...->...", weights, g)[None] for name, g in evaluation.gradients.items()}
        self._balance.weigh(problem, self._points, mean)
        self._points = self._rule.step(self._points, Evaluation(evaluation.value, evaluation.judge, mean))

    def look(self, most: int) -> None:
        """Keep the patch where it is the best so far."""
        values = []
        for number in range(min(most, len(self._batches))):
            found = self._open(number, "look")
            if found is not None:
                problem, inputs, weights = found
                with self._engine(problem, inputs) as engine:
                    found_value = engine.evaluate(rounded(self._spread(inputs))).value
                    values.append((weights.to(found_value) * found_value).sum())
        if not values:
            raise UsageError("none of the pictures has a place for the patch and counts; try --where random, or others")
        value = float(torch.stack(values).mean())
        self._looks.append(value)
        if value > self._value:
            self._best, self._value = rounded(self._points), value

    def result(self) -> Patch:
        """The best patch so far."""
        batch = Batch(*self._batches[0])
        one = {name: value[:1] for name, value in batch.inputs.items()}
        problem = self._pursuit(one).problem(
            batch.problem.select(torch.tensor([0])), one, self._threat, ["0"], [[Spot(0.0, 0.0, 1.0, 1.0)]]
        )
        facts: dict[str, Any] = {
            **self._plan.facts(), "steps": self.step, "looks": self._looks, "value": self._value,
            "stopped": self.stopped,
        }  # fmt: skip
        patch = problem.patches(self._best, facts)[1][0]
        return Patch(
            patch.alpha, patch.content, patch.depth_mode, patch.plane, patch.relief,
            {name: value for name, value in patch.facts.items() if name not in ("place", "places")},
        )  # fmt: skip

    def state(self) -> Kept:
        """All that it takes to go on."""
        tensors = {f"point/{name}": value for name, value in self._points.items()}
        tensors |= {f"best/{name}": value for name, value in self._best.items()}
        return Kept(
            {**tensors, **self._rule.memory()},
            self.step,
            self._rule.steps_made,
            self._value,
            self._looks,
            self._balance.streaks,
        )

    def resume(self, kept: Kept) -> None:
        """Go on from a state."""
        like = next(iter(self._points.values()))
        tensors = {name: value.to(like) for name, value in kept.tensors.items()}
        for name in self._points:
            self._points[name], self._best[name] = tensors[f"point/{name}"], tensors[f"best/{name}"]
        self._rule.recall(tensors, kept.moves)
        self.step, self._value, self._looks = kept.step, kept.value, list(kept.looks[:-1])
        self._balance = Balance(kept.streaks)

    def _pursuit(self, inputs: Inputs) -> Pursuit:
        setting = self._plan.setting(image_size(inputs), self._changed, self._family, self._nature)
        return Pursuit(setting, self._changed, self._steps, 1.0, 1, grey, self._draws)

    def _canvas(self, first: Inputs) -> Size:
        """(h, w) of the patch."""
        alpha = self._plan.setting(image_size(first), self._changed).alpha
        return alpha.shape[-2], alpha.shape[-1]

    def _attacked(self) -> Iterator[Tensor]:
        """The pictures of all batches, which no crop is to be of."""
        return (own for batch in self._batches for own in colour_of(Batch(*batch).inputs, self._changed))

    def _open(self, number: int, purpose: str) -> tuple[PatchProblem, Inputs, Tensor] | None:
        """One batch with the patch's places for a purpose, and how much each picture counts.

        Pictures without a place are left out; None where no other counts.
        """
        batch = Batch(*self._batches[number])
        pursuit, samples = self._pursuit(batch.inputs), len(next(iter(batch.inputs.values())))
        setting, ids = pursuit.setting, [f"{number}/{row}" for row in range(samples)]
        layout = Layout(
            self._plan.placement, setting.alpha, setting.span, image_size(batch.inputs), setting.seed, setting.share
        )
        index, spots = with_place(layout.spots(ids, Known.of(batch.problem), purpose))
        if not len(index):
            return None
        masks = batch.masks or {}
        budgets = {name: replace(of, mask=masks.get(name, of.mask)) for name, of in self._threat.items()}
        inputs, threat, victim = some_rows(batch.problem, batch.inputs, budgets, index)
        weights = _weights(victim, len(index))
        if not bool(weights.any()):
            return None
        return pursuit.problem(victim, inputs, threat, [ids[row] for row in index.tolist()], spots), inputs, weights

    def _spread(self, inputs: Inputs) -> dict[str, Tensor]:
        """The patch for each picture of a batch."""
        rows = len(next(iter(inputs.values())))
        return {name: value.expand(rows, *value.shape[1:]).contiguous() for name, value in self._points.items()}

    def _engine(self, problem: PatchProblem, inputs: Inputs) -> Any:
        untouched = {name: value for name, value in inputs.items() if name not in self._changed}
        points = self._spread(inputs)
        budgets = {name: Budget(eps=0.5, levels=None if name in (PLANE, LATENT) else 255) for name in points}
        return Engine.open(
            cast(Problem, problem), {**points, **untouched}, budgets, attack="patch", seed=self._plan.seed,
            precision=self._precision,
        )  # fmt: skip


def _weights(victim: Problem, samples: int) -> Tensor:
    """How much each picture counts in a mean, (B,), with sum 1 or 0: alike, or as the victim says."""
    weights: Tensor = getattr(victim, "weights", torch.ones(samples))
    return weights.float() / weights.sum().clamp_min(1e-9)
