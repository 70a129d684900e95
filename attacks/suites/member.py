"""One attack of a suite: a row of the table with its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.types import Inputs


@runtime_checkable
class Ranked(Protocol):
    """A problem that knows other classes by their rank."""

    def ranked(self, outputs: Any, most: int) -> Problem:
        """The same problem, which knows the strongest other classes of these outputs."""
        ...

    def against(self, rank: int) -> Problem:
        """The same problem, whose loss leads to one of them."""
        ...


@dataclass(frozen=True)
class Member:
    """One attack of a suite.

    Args:
        attack: a name of the table of attacks.
        settings: its own parameters.
        objective: what it raises; None: the problem's own objective.
        rival: lead to the class of this rank among the others of each sample, 0 the strongest; None: to any.
        label: what results call it; "": the attack's name and objective.
    """

    attack: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    objective: str | None = None
    rival: int | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """What results call it."""
        rank = "" if self.rival is None else f"{self.rival + 1}"
        return self.label or "-".join(part for part in (self.attack, self.objective, rank) if part)

    def run(self, problem: Problem, inputs: Inputs, threat: Threat, common: Mapping[str, Any]) -> Result:
        """The attack on some samples.

        Args:
            problem: what the suite attacks.
            inputs: the samples.
            threat: their budgets.
            common: seed, sample ids and the like.

        Raises:
            UsageError: the problem has no such objective.
        """
        aimed = problem if self.objective is None else problem.raising(self.objective)
        if self.rival is not None and isinstance(aimed, Ranked):
            aimed = aimed.against(self.rival)
        result: Result = ATTACKS[self.attack].load()(aimed, inputs, threat, **self.settings, **common)
        return result
