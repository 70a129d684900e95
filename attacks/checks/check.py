"""What one health check says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rows import AttackRow
from rgbdsod.types import Inputs


@dataclass(frozen=True)
class Check:
    """One answer.

    Args:
        name: what was asked.
        passed: whether all is well.
        found: the numbers, in words.
        advice: what to do about a failure; "" where it passed.
    """

    name: str
    passed: bool
    found: str
    advice: str = ""

    @classmethod
    def of(cls, name: str, passed: bool, found: str, advice: str) -> "Check":
        """A check whose advice is kept for a failure."""
        return cls(name, passed, found, "" if passed else advice)


@dataclass(frozen=True, eq=False)
class Patient:
    """What is examined: an attack on some samples.

    Args:
        problem: what is attacked.
        inputs: the samples, (B, ...).
        threat: their budgets.
        row: the attack.
        settings: its own parameters.
        common: seed and sample ids.
    """

    problem: Problem
    inputs: Inputs
    threat: Threat
    row: AttackRow
    settings: Mapping[str, Any]
    common: Mapping[str, Any]

    def attack(self, row: AttackRow | None = None, threat: Threat | None = None, **settings: Any) -> Result:
        """This attack with other settings, or another one."""
        own = self.settings if row is None else {}
        function = (row or self.row).load()
        result: Result = function(
            self.problem, self.inputs, self.threat if threat is None else threat, **{**own, **settings}, **self.common
        )
        return result

    def value(self, inputs: Inputs) -> Tensor:
        """The tracked value (B,) at some inputs, by which all attacks are compared."""
        with Engine.open(self.problem, self.inputs, self.threat, attack="check") as engine:
            return engine.evaluate({name: inputs[name] for name in engine.clean}).value
