"""The worst case of each sample over any list of attacks; samples that are fooled need no further attack."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.suites.member import Member
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False)
class SuiteResult(Result):
    """The worst case over several attacks.

    Args:
        members: the attacks' names, in their order.
        winner: which of them made the returned point, int64 (B,) on the CPU; -1: the clean input is returned.
        fooled_by: for each attack, how many samples it fooled of those that it was given.
        given: how many these were.
        notes: what is suspicious about the figures.
    """

    members: tuple[str, ...] = ()
    winner: Tensor = torch.empty(0, dtype=torch.int64)  # noqa: RUF009 - never changed
    fooled_by: tuple[int, ...] = ()
    given: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def worst_case(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    members: Sequence[Member],
    *,
    until: str = "fooled",
    **common: Unpack[Common],
) -> SuiteResult:
    """Several attacks one after another; each sample keeps its worst point.

    A point that fools is worse than one that does not; among equals the problem's own tracked value decides, so that
    attacks with different objectives are compared by one measure. That costs one forward pass for each attack.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        members: the attacks.
        until: "fooled": a sample that one attack fools is not given to the next. "end": all attacks see all samples,
            where the worst value counts and not only whether it fools.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no attacks, an unknown `until`, or what an attack raises.
    """
    if not members:
        raise UsageError("a worst case over no attacks; pass one or more")
    if until not in ("fooled", "end"):
        raise UsageError(f'no until "{until}"; it is fooled or end')
    seed, ids, precision = common.get("seed", 0), common.get("sample_ids"), common.get("precision", "float32")
    with Engine.open(problem, inputs, threat, attack="suite", seed=seed, sample_ids=ids, precision=precision) as engine:
        duel = Duel(engine, problem, inputs, threat)
        for number, member in enumerate(members):
            duel.fight(number, member, common, leave=until == "fooled")
            if (callback := common.get("callback")) is not None:
                callback(number + 1, len(members))
        return duel.result(members)


class Duel:
    """A suite at work: each sample's worst point so far."""

    def __init__(self, engine: Engine, problem: Problem, inputs: Inputs, threat: Threat) -> None:
        self._engine, self._problem, self._inputs, self._threat = engine, problem, inputs, threat
        start = engine.evaluate(engine.clean)
        self._points, self._value, self._fooled = dict(engine.clean), start.value, start.judge()
        self._trace = [start.value]
        self._winner = torch.full((len(engine),), -1)
        self._extra = [torch.zeros(len(engine), dtype=torch.int64) for _ in range(2)]
        self._fooled_by: list[int] = []
        self._given: list[int] = []

    def fight(self, number: int, member: Member, common: Common, *, leave: bool) -> None:
        """One more attack, on all samples or on those that still stand."""
        rows = (~self._fooled if leave else torch.ones_like(self._fooled)).nonzero().flatten()
        self._given.append(len(rows))
        self._fooled_by.append(0)
        if not len(rows) or not self._engine.balls:
            return
        found = member.run(
            self._problem.select(rows),
            {name: value[rows] for name, value in self._inputs.items()},
            {name: budget.select(rows) for name, budget in self._threat.items()},
            _of(common, rows),
        )
        for total, spent in zip(self._extra, (found.forward, found.backward), strict=True):
            total.index_add_(0, rows.cpu(), spent)
        self._offer(number, rows, found.inputs)

    def result(self, members: Sequence[Member]) -> SuiteResult:
        """What is worst for each sample."""
        forward, backward = (own + extra for own, extra in zip(self._engine.passes(), self._extra, strict=True))
        return SuiteResult(
            inputs={name: self._points.get(name, clean) for name, clean in self._inputs.items()},
            start_loss=self._trace[0],
            loss=self._value,
            fooled=self._fooled,
            forward=forward,
            backward=backward,
            steps=len(members),
            trace=torch.stack(self._trace)[None],
            members=tuple(member.name for member in members),
            winner=self._winner,
            fooled_by=tuple(self._fooled_by),
            given=tuple(self._given),
        )

    def _offer(self, number: int, rows: Tensor, points: Inputs) -> None:
        """Keep an attack's points where they are worse for the model than those so far."""
        names = self._engine.clean
        seen = self._engine.part(rows).evaluate({name: points[name] for name in names})
        fooled, had, value = seen.judge(), self._fooled[rows], self._value[rows]
        better = (fooled & ~had) | ((fooled == had) & (seen.value > value))
        won = rows[better]
        for name in names:
            self._points[name] = self._points[name].index_copy(0, won, points[name][better].to(names[name]))
        self._value = self._value.index_copy(0, won, seen.value[better])
        self._fooled = self._fooled.index_copy(0, won, fooled[better])
        self._winner[won.cpu()] = number
        self._trace.append(self._value)
        self._fooled_by[-1] = int(fooled.sum())


def _of(common: Common, rows: Tensor) -> dict[str, object]:
    """What members of a suite are told: the same as the suite, for some of its samples."""
    ids = common.get("sample_ids")
    names = [str(row) if ids is None else ids[row] for row in rows.tolist()]
    return {**{name: value for name, value in common.items() if name != "callback"}, "sample_ids": names}
