"""The attacked problem at work: frozen, untouched inputs computed once, every pass counted."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor

from rgbdsod.attacks.broken import no_gradient
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.door import check_ids, check_inputs, workable
from rgbdsod.attacks.evaluation import AGAIN, Evaluation, mostly
from rgbdsod.attacks.knowledge import Knowledge, demand
from rgbdsod.attacks.norms import Ball, ball
from rgbdsod.attacks.problem import Problem, frozen
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.shares import in_shares
from rgbdsod.attacks.tally import Tally, totals
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.types import Inputs

PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
Aim = Callable[[Any], Tensor]
"""A function of the problem's outputs, (B,), to be raised."""

FLOAT16_SCALE = 2.0**10
"""Factor of the loss in float16, which lifts the gradients of confident samples above the smallest number."""


class Engine:
    """Passes through an attacked problem. Made by `Engine.open`, which also freezes the problem's modules.

    Attributes:
        problem: what is attacked, the untouched inputs filled in.
        whole: the same without.
        clean: the attacked inputs, float32 (float64 where they came so).
        balls: what each of them may become.
    """

    def __init__(
        self,
        problem: Problem,
        inputs: Inputs,
        threat: Threat,
        *,
        attack: str,
        seed: int,
        sample_ids: Sequence[str] | None,
        precision: str,
        knowledge: Knowledge = "white",
        eot: int = 1,
    ) -> None:
        if precision not in PRECISIONS:
            raise UsageError(f'no precision "{precision}"; precisions are {", ".join(PRECISIONS)}')
        if eot < 1:
            raise UsageError(f"--eot {eot} is the mean of nothing; pass 1 or more")
        samples = check_inputs(problem, inputs, threat)
        full = {name: workable(value) for name, value in inputs.items()}
        attacked = {name: budget for name, budget in threat.items() if not budget.empty}
        self.clean = {name: full[name] for name in attacked}
        self.balls: dict[str, Ball] = {name: ball(full[name], budget) for name, budget in attacked.items()}
        self._ids = check_ids(sample_ids, samples)
        self._tally = Tally(torch.arange(samples))
        self._tallies = [self._tally]
        self._attack, self._seed, self._knowledge, self._eot = attack, seed, knowledge, eot
        self.whole = problem
        self._fixed = {name: value for name, value in full.items() if name not in attacked}
        self._half, self._device = PRECISIONS[precision], next(iter(full.values())).device.type
        self.problem = self._filled()

    @classmethod
    @contextmanager
    def open(
        cls,
        problem: Problem,
        inputs: Inputs,
        threat: Threat,
        *,
        attack: str,
        seed: int = 0,
        sample_ids: Sequence[str] | None = None,
        precision: str = "float32",
        knowledge: Knowledge = "white",
        eot: int = 1,
    ) -> Iterator["Engine"]:
        """An engine for one attack; flags of all modules are put back when it closes.

        Args:
            problem: what is attacked.
            inputs: all inputs, (B, ...) in [0, 1].
            threat: budgets by input; inputs that are not named, or whose radius is 0, are untouched.
            attack: the attack's name; random numbers depend on it.
            seed: the run's seed.
            sample_ids: one id per sample; random numbers depend on it. None: places in the batch.
            precision: "float32", or what the network runs in under autocast: "bfloat16", "float16".
            knowledge: what the attack may see; asking for more is an error.
            eot: how many passes one gradient is the mean of (Athalye et al., "Obfuscated Gradients", arXiv 1802.00420).

        Raises:
            UsageError: inputs or threat do not fit the problem.
        """
        with torch.inference_mode(False), frozen(*problem.modules):
            yield cls(
                problem,
                inputs,
                threat,
                attack=attack,
                seed=seed,
                sample_ids=sample_ids,
                precision=precision,
                knowledge=knowledge,
                eot=eot,
            )

    def __len__(self) -> int:
        return len(self._ids)

    def streams(self, restart: int, name: str) -> Streams:
        """Random numbers of one restart for one input."""
        return Streams(self._seed, self._ids, self._attack, restart, name)

    def part(self, index: Tensor) -> Self:
        """The engine for some of the samples, or for several copies of each; passes count for the sample they are of.

        Args:
            index: of samples along the batch; may repeat.
        """
        other = copy.copy(self)
        other.problem, other.whole = self.problem.select(index), self.whole.select(index)
        other.clean = {name: value[index] for name, value in self.clean.items()}
        other.balls = {name: ball(other.clean[name], old.budget.select(index)) for name, old in self.balls.items()}
        other._fixed = {name: value[index] for name, value in self._fixed.items()}
        other._tally = Tally(self._tally.rows[index.cpu()])
        self._tallies.append(other._tally)
        other._ids = [self._ids[row] for row in index.tolist()]
        return other

    @property
    def rows(self) -> Tensor:
        """Which of the attack's samples each row of the batch is, int64 (B,) on the CPU; copies repeat it."""
        return self._tally.rows

    @property
    def untouched(self) -> dict[str, Tensor]:
        """The inputs that are not attacked."""
        return self._fixed

    def asking(self, problem: Problem, whole: Problem) -> Self:
        """The engine with another problem about the same samples; its passes count like this one's.

        Args:
            problem: the untouched inputs filled in.
            whole: the same without.
        """
        other = copy.copy(self)
        other.problem, other.whole = problem, whole
        return other

    def in_full_precision(self) -> Self:
        """The engine without autocast; its passes count like this one's."""
        if self._half is None:
            return self
        other = copy.copy(self)
        other._half = None
        other.problem = other._filled()
        return other

    def forward(self, points: Inputs) -> Any:
        """The problem's outputs, counted."""
        self._tally.forward += self._asked()
        with self._autocast():
            return self.problem.forward(points)

    def pull(self, loss: Tensor, points: Inputs, *, again: bool = False) -> dict[str, Tensor]:
        """Gradients of the summed loss at points that require grad, counted.

        Args:
            loss: (B,).
            points: leaves of the graph.
            again: keep the graph for a further call.

        Raises:
            UsageError: no gradient arrives, or the attack said that it needs none.
        """
        demand(self._attack, self._knowledge, "white")
        self._tally.backward += self._asked()
        scale = FLOAT16_SCALE if self._half is torch.float16 else 1.0
        if not loss.requires_grad:
            raise no_gradient(self.problem, points, next(iter(points)))
        found = torch.autograd.grad(
            loss.sum() * scale if scale > 1 else loss.sum(),
            list(points.values()),
            retain_graph=again,
            allow_unused=True,
        )
        gradients: dict[str, Tensor] = {}
        for name, gradient in zip(points, found, strict=True):
            if gradient is None:
                raise no_gradient(self.problem, points, name)
            gradients[name] = gradient / scale if scale > 1 else gradient
        return gradients

    @torch.no_grad()
    def evaluate(self, points: Inputs, progress: float = 1.0) -> Evaluation:
        """One forward pass."""
        demand(self._attack, self._knowledge, "score")
        outputs = self.forward(points)
        return self._evaluation(outputs, self._loss(outputs, progress), {})

    @torch.no_grad()
    def score(self, points: Inputs) -> tuple[Evaluation, Tensor]:
        """One forward pass: the evaluation, and what is missing to the nearest way out, (B,)."""
        demand(self._attack, self._knowledge, "score")
        outputs = self.forward(points)
        return self._evaluation(outputs, self._loss(outputs, 1.0), {}), self.problem.gap(outputs)

    @torch.no_grad()
    def decide(self, points: Inputs) -> Tensor:
        """Whether points fool, bool (B,): one forward pass, of which nothing else is seen."""
        return self._fooled(self.forward(points))

    def gradient(self, points: Inputs, progress: float = 0.0, *, aim: Aim | None = None) -> Evaluation:
        """One forward and one backward pass to the attacked inputs, or the mean of several.

        Args:
            points: where.
            progress: how much of the attack is done, 0 to 1.
            aim: what the gradient is of, in place of the problem's loss; points are ranked as ever.
        """
        most = getattr(self.problem, "most", None)
        if most is not None and most < len(self) and aim is None:
            return in_shares(self, points, progress, most)
        if self._eot == 1:
            return self._gradient(points, progress, aim)
        return mostly([self._gradient(points, progress + at * AGAIN, aim) for at in range(self._eot)])

    def _gradient(self, points: Inputs, progress: float, aim: Aim | None) -> Evaluation:
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in points.items()}
            outputs = self.forward(leaves)
            raised = self._loss(outputs, progress) if aim is None else aim(outputs)
            gradients = self.pull(raised, leaves)
        with torch.no_grad():
            loss = raised if aim is None else self._loss(outputs, progress)
        return self._evaluation(outputs, loss, gradients)

    def passes(self) -> tuple[Tensor, Tensor]:
        """Forward and backward passes spent on each sample so far, int64 (B,) on the CPU."""
        return totals(self._tallies)

    def check_finite(self, trace: Tensor) -> None:
        """Say where a model broke down; asked once, after the loop, since each question stops the device.

        Args:
            trace: the values of all points, (restarts, points, B).

        Raises:
            WeightsError: one of them is NaN or infinite.
        """
        broken = (~torch.isfinite(trace)).nonzero()
        if len(broken):
            restart, step, sample = broken[0].tolist()
            raise WeightsError(
                f"{self.problem.name} gave a loss that is not finite at step {step} of restart {restart + 1} "
                f'for sample "{self._ids[sample]}"; check its weights, or try --dtype float32'
            )

    def _asked(self) -> int:
        """How many models one pass asks: several where the problem is an ensemble that says so."""
        return int(getattr(self.problem, "passes", 1))

    @torch.no_grad()
    def _evaluation(self, outputs: Any, loss: Tensor, gradients: dict[str, Tensor]) -> Evaluation:
        value = self.problem.track(outputs)
        shown = outputs.detach() if isinstance(outputs, Tensor) else outputs  # a kept point must not keep its graph
        return Evaluation(loss.detach() if value is None else value, partial(self._fooled, shown), gradients)

    @torch.no_grad()
    def _fooled(self, outputs: Any) -> Tensor:
        return self.problem.fooled(outputs)

    def _loss(self, outputs: Any, progress: float) -> Tensor:
        loss = self.problem.loss(outputs, progress)
        rows = len(self._tally.rows)
        if loss.shape != (rows,):
            raise UsageError(f"the loss has shape {tuple(loss.shape)}; return one value per sample, ({rows},)")
        return loss

    def _filled(self) -> Problem:
        """The problem with its untouched inputs filled in."""
        with self._autocast():
            return self.whole.given(self._fixed) if self._fixed else self.whole

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self._half is None else torch.autocast(self._device, dtype=self._half)
