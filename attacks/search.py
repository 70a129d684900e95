"""What all minimum-norm attacks share: looks at points, the nearest that fooled, samples that leave, the result."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self, Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.knowledge import Knowledge
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rows import NORMS
from rgbdsod.attacks.space import Space
from rgbdsod.attacks.ways import Ways
from rgbdsod.errors import UsageError
from rgbdsod.types import Callback, Inputs


@dataclass(frozen=True, eq=False)
class Look:
    """What one pass says about a batch of vectors.

    Args:
        gap: what is missing to the nearest way out, (B,); positive while the attack has not reached its aim.
        fooled: whether it has, bool (B,).
        gradient: of the gap, or of minus the loss, (B, D) by coordinate; empty after a forward pass alone.
    """

    gap: Tensor
    fooled: Tensor
    gradient: Tensor


class Search:
    """A minimum-norm attack at work on the samples that still stand. Made by `Search.open`.

    Every look keeps, per sample, the nearest vector that fooled and lies within the radii.

    Args:
        engine: passes for all samples.
        inputs: the caller's inputs.
        callback: told of progress.
        confidence: how far beyond the turning point the gap must be for a vector to count as fooling.

    Attributes:
        engine: passes, for the samples that still stand.
        space: their vectors.
        rows: which samples of the whole batch they are.
    """

    def __init__(self, engine: Engine, inputs: Inputs, callback: Callback | None, *, confidence: float = 0.0) -> None:
        self._confidence = confidence
        self.engine, self._whole, self._inputs, self._callback = engine, engine, inputs, callback
        self.space = self._all = Space(engine.balls)
        standing = len(engine) if engine.balls else 0  # where nothing may change, nobody has to be looked at
        self.rows = torch.arange(standing, device=self.space.clean.device)
        self._points = self.space.clean.clone()
        self._distance = self._points.new_full((len(engine),), torch.inf)
        self._trace: list[Tensor] = []

    @classmethod
    @contextmanager
    def open(
        cls,
        problem: Problem,
        inputs: Inputs,
        threat: Threat,
        *,
        attack: str,
        norms: Sequence[str] = NORMS,
        knowledge: Knowledge = "white",
        confidence: float = 0.0,
        **common: Unpack[Common],
    ) -> Iterator[Self]:
        """A search; flags of all modules are put back when it closes.

        Args:
            problem: what is attacked.
            inputs: all inputs (B, ...) in [0, 1].
            threat: budgets by input, of one norm; a change beyond a radius does not count as found.
            attack: the attack's name.
            norms: in which it is defined.
            knowledge: what the attack may see.
            confidence: how far beyond the turning point the gap must be for a point to count, 0 or more.
            common: see `rgbdsod.attacks.core.Common`.

        Raises:
            UsageError: inputs or threat do not fit the problem or the attack; a negative confidence.
        """
        check_norms(attack, threat, norms)
        if not hasattr(problem, "gap"):
            raise UsageError(f'attack "{attack}" needs margins: {problem.name} has no gap(outputs); see Problem')
        if not confidence >= 0:
            raise UsageError(f"--confidence {confidence:g}: pass 0 or more")
        with Engine.open(
            problem,
            inputs,
            threat,
            attack=attack,
            seed=common.get("seed", 0),
            sample_ids=common.get("sample_ids"),
            precision=common.get("precision", "float32"),
            knowledge=knowledge,
        ) as engine:
            yield cls(engine, inputs, common.get("callback"), confidence=confidence)

    def __len__(self) -> int:
        """How many samples still stand."""
        return len(self.rows)

    @property
    def best(self) -> Tensor:
        """The distance (B,) of the nearest vector that fooled so far, infinite where there is none."""
        return self._distance[self.rows]

    @property
    def nearest(self) -> Tensor:
        """That vector (B, D), the clean one where there is none."""
        return self._points[self.rows]

    def streams(self, purpose: str, restart: int = 0) -> Streams:
        """Random numbers of the samples that still stand."""
        return self.engine.streams(restart, purpose)

    def gradient(self, vectors: Tensor, *, of: Literal["gap", "loss"] | Callable[[Any], Tensor] = "gap") -> Look:
        """One forward and one backward pass.

        Args:
            vectors: where, (B, D).
            of: what the gradient is of, to be descended in all cases: the gap, minus the problem's loss, or a function
                of the problem's outputs, (B,).
        """
        if not len(self):
            return _nothing(vectors)
        with torch.enable_grad():
            points = {name: value.detach().requires_grad_() for name, value in self.space.split(vectors).items()}
            outputs = self.engine.forward(points)
            gap = self.engine.problem.gap(outputs)
            aim = of(outputs) if callable(of) else gap if of == "gap" else -self.engine.problem.loss(outputs)
            gradients = self.engine.pull(aim, points)
        return self.record(vectors, gap.detach(), self._fooled(outputs, gap), self.space.pull(gradients))

    def exits(self, vectors: Tensor, most: int) -> tuple[Look, Tensor, Tensor]:
        """One forward and up to `most` backward passes: the nearest ways out, each with its gradient.

        Returns:
            The look; the exits (B, E), the most urgent first; and their gradients (B, E, D).
        """
        if not len(self):
            return _nothing(vectors), vectors[:, :1], vectors[:, None]
        with torch.enable_grad():
            points = {name: value.detach().requires_grad_() for name, value in self.space.split(vectors).items()}
            outputs = self.engine.forward(points)
            exits = self.engine.problem.exits(outputs)
            count = int(torch.isfinite(exits[:1]).sum())  # the true class itself is no way out
            chosen = exits.topk(min(most, count), largest=False).values
            slopes = self._slopes(list(chosen.unbind(1)), points)
        look = self.record(vectors, chosen[:, 0].detach(), self._fooled(outputs, chosen[:, 0]), slopes[0])
        return look, chosen.detach(), torch.stack(slopes, 1)

    def ways(self, vectors: Tensor) -> tuple[Look, Ways]:
        """One forward pass, and the ways out that it shows, to be differentiated one by one."""
        if not len(self):
            return _nothing(vectors), Ways(vectors[:, :1], lambda value, again: vectors)
        with torch.enable_grad():
            points = {name: value.detach().requires_grad_() for name, value in self.space.split(vectors).items()}
            outputs = self.engine.forward(points)
            exits = self.engine.problem.exits(outputs)
        gap, engine, space = exits.detach().amin(1), self.engine, self.space
        look = self.record(vectors, gap, self._fooled(outputs, gap), vectors.new_empty(0))
        return look, Ways(exits, lambda value, again: space.pull(engine.pull(value, points, again=again)))

    def sides(self, vectors: Tensor) -> tuple[Look, Tensor, Tensor | None]:
        """One forward and up to two backward passes: the gradients (B, D) of what is to rise and of what is to fall."""
        if not len(self):
            return _nothing(vectors), vectors, vectors
        with torch.enable_grad():
            points = {name: value.detach().requires_grad_() for name, value in self.space.split(vectors).items()}
            outputs = self.engine.forward(points)
            rising, falling = self.engine.problem.sides(outputs)
            slopes = self._slopes([rising] if falling is None else [rising, falling], points)
            gap = self.engine.problem.gap(outputs).detach()
        look = self.record(vectors, gap, self._fooled(outputs, gap), slopes[0])
        return look, slopes[0], slopes[1] if falling is not None else None

    def _slopes(self, values: list[Tensor], points: dict[str, Tensor]) -> list[Tensor]:
        """Gradients (B, D) of several values per sample, one backward pass for each."""
        last = len(values) - 1
        return [self.space.pull(self.engine.pull(value, points, again=at < last)) for at, value in enumerate(values)]

    @torch.no_grad()
    def evaluate(self, vectors: Tensor) -> Look:
        """One forward pass."""
        if not len(self):
            return _nothing(vectors)
        outputs = self.engine.forward(self.space.split(vectors))
        gap = self.engine.problem.gap(outputs)
        return self.record(vectors, gap, self._fooled(outputs, gap), vectors.new_empty(0))

    @torch.no_grad()
    def record(self, vectors: Tensor, gap: Tensor, fooled: Tensor, gradient: Tensor) -> Look:
        """Remember what was seen: a trace, and the nearest that fooled."""
        distance = torch.where(fooled & self.space.within(vectors), self.space.length(vectors), torch.inf)
        better = distance < self._distance[self.rows]
        if not better.is_cpu or bool(better.any()):
            kept = torch.where(better[:, None], vectors, self._points[self.rows])
            self._points = self._points.index_copy(0, self.rows, kept)
            self._distance = self._distance.index_copy(0, self.rows, torch.minimum(distance, self._distance[self.rows]))
        last = self._trace[-1] if self._trace else self._distance.new_zeros(len(self._distance))
        self._trace.append(last.index_copy(0, self.rows, -gap.to(last)))
        return Look(gap, fooled, gradient)

    def leave(self, done: Tensor, *state: Tensor, at_once: bool = False) -> list[Tensor]:
        """Samples that are done leave; asked often, it waits until they are a quarter of the batch.

        Args:
            done: bool (B,).
            state: what the attack keeps for each sample, each (B, ...).
            at_once: do not wait, for attacks whose queries count.

        Returns:
            The state of those that stay.
        """
        index = (~done).nonzero().flatten()
        if len(index) == len(done) or (len(index) * 4 > len(done) * 3 and not at_once):
            return list(state)
        self.rows = self.rows[index]
        if len(index):
            self.engine = self.engine.part(index)
        self.space = self.space.select(index, self.engine.balls)
        return [value[index] for value in state]

    def note(self, done: int, total: int) -> None:
        """Report progress."""
        if self._callback is not None:
            self._callback(done, total)

    @torch.no_grad()
    def result(self, steps: int) -> Result:
        """The nearest points that fooled, looked at once more; samples without one come back clean, as failures.

        Args:
            steps: what the result says of them.

        Raises:
            WeightsError: a gap on the way was NaN.
        """
        engine, points = self._whole, self._all.settle(self._points)
        for name, ball in engine.balls.items():
            if ball.budget.levels:
                points[name] = quantise(points[name], engine.clean[name], ball.budget)
        exact = engine.in_full_precision()
        outputs = exact.forward(points)
        gap = exact.problem.gap(outputs)
        found = torch.isfinite(self._distance) | (not points)
        trace = torch.stack(self._trace or [-gap])[None]
        engine.check_finite(trace.nan_to_num(posinf=0.0, neginf=0.0))
        fooled = exact.problem.fooled(outputs) & found
        for name, value in points.items():
            wide = fooled.view(-1, *[1] * (value.ndim - 1))
            points[name] = torch.where(wide, value, engine.clean[name])
        forward, backward = engine.passes()
        return Result(
            inputs={name: points.get(name, clean) for name, clean in self._inputs.items()},
            start_loss=trace[0, 0],
            loss=torch.where(fooled | ~found, -gap.to(trace), trace[0, 0]),
            fooled=fooled,
            forward=forward,
            backward=backward,
            steps=steps,
            trace=trace,
            distance=torch.where(fooled, self._all.length(self._all.join(points)) if points else 0.0, torch.inf),
        )

    @torch.no_grad()
    def _fooled(self, outputs: object, gap: Tensor) -> Tensor:
        fooled = self.engine.problem.fooled(outputs)
        return fooled & (gap <= -self._confidence) if self._confidence else fooled


def _nothing(vectors: Tensor) -> Look:
    """What is seen of no samples."""
    none = vectors.new_empty(0)
    return Look(none, none.bool(), vectors[:0])
