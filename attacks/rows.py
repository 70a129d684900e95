"""What a row of the table of attacks says. Imports no torch: `rgbdsod list` reads the rows."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NORMS = ("linf", "l2", "l1", "l0")

RANGES: dict[str, str] = {
    "steps": "1 or more",
    "step_size": "above 0, in units of the [0, 1] input",
    "restarts": "1 or more",
    "keep": "best, last",
    "random_start": "true, false",
    "queries": "1 or more",
    "overshoot": "0 or more",
    "momentum": "0 up to 1",
    "decay": "0 or more",
}
"""What parameters of one name may be, in every attack that does not say otherwise."""


def load(path: str) -> Callable[..., Any]:
    """The function at "package.module:name"."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


@dataclass(frozen=True)
class AttackRow:
    """One attack.

    Args:
        name: what a user types.
        function: where it is, "module:name"; called as f(problem, inputs, threat, *, own parameters, common ones).
        summary: one sentence.
        paper: title or authors, and year.
        arxiv: arXiv id, or "" where there is none.
        passes: what one run costs per sample; T steps, R restarts.
        knowledge: what of the model it needs: its gradients, its scores, its decisions, or nothing.
        norms: the norms of its budget.
        aim: "strongest": the highest loss within the radius. "nearest": the smallest change that fools; the radius is
            where a change stops to count.
        outputs: what the attacked model must give: class scores, maps, or "any".
        ranges: what its own parameters may be, by name, where `RANGES` does not say it.
        eps: the radius where a user names none; None: the usual one of the norm.
    """

    name: str
    function: str
    summary: str
    paper: str
    arxiv: str
    passes: str
    knowledge: Literal["white", "score", "decision", "none"] = "white"
    norms: tuple[str, ...] = NORMS
    aim: Literal["strongest", "nearest"] = "strongest"
    outputs: Literal["any", "classes", "maps"] = "any"
    ranges: Mapping[str, str] = field(default_factory=dict)
    eps: float | None = None

    def load(self) -> Callable[..., Any]:
        """The attack's function; imports torch."""
        return load(self.function)

    def parameters(self) -> dict[str, Any]:
        """The attack's own parameters with their defaults, read from its signature; imports torch."""
        signature = inspect.signature(self.load())
        return {p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}

    def range_of(self, parameter: str) -> str:
        """What a parameter may be, in words; "" where nobody said."""
        return self.ranges.get(parameter) or RANGES.get(parameter, "")
