"""What a run on input defences is asked to do. Imports no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from rgbdsod.defenses.filters.grammar import NONE, needs_clean, parse, split
from rgbdsod.errors import UsageError

WEIGHTS = (0.1, 1.0, 10.0)
"""Of the detector's score in the loss of an attack that knows it."""

Effort = Literal["quick", "standard", "thorough"]
"""How much is spent on attacks that know a defence."""

USUAL = ("median", "median+detect")


@dataclass(frozen=True, kw_only=True)
class DefenseChoice:
    """The defences, and who knows of them.

    Args:
        defenses: texts such as "median+detect"; "none" is added.
        fpr: share of clean images that a detector may accuse.
        aware: whether each defence is also attacked by who knows it.
        effort: "quick": a few attacks that show whether a defence holds at all; "standard": what a number can be quoted
            from; "thorough": more than twice that, and a search by scores.
        weights: of the detector's score, one attack for each.
        search: whether the search by scores alone is added at any effort, for gradients that lead nowhere.
        queries: of that search.
        expectation: draws of a random defence of which one gradient is the mean.
        draws: of a random defence that one verdict is the mean of.
        checks: whether the attacks themselves are tested, on the first images.
    """

    defenses: tuple[str, ...] = USUAL
    fpr: float = 0.05
    aware: bool = True
    effort: Effort = "standard"
    weights: tuple[float, ...] = WEIGHTS
    search: bool = False
    queries: int = 500
    expectation: int = 4
    draws: int = 5
    checks: bool = True

    def checked(self) -> Self:
        """The same, "none" first and nothing twice.

        Raises:
            UsageError: a text or a number that cannot be.
        """
        texts = ["+".join(part.text for part in parse(text)) or NONE for text in self.defenses]
        if not 0 < self.fpr < 1:
            raise UsageError(f"--fpr {self.fpr:g}: pass a share of clean images above 0 and below 1, such as 0.05")
        if self.effort not in get_args(Effort):
            raise UsageError(f"--effort {self.effort}: expected one of {', '.join(get_args(Effort))}")
        if not self.aware and (self.search or self.effort != "standard"):
            raise UsageError("--effort and --search make attacks that know the defence; leave out them or --no-aware")
        if self.aware and not self.weights:
            raise UsageError("--penalty is empty; pass weights such as 0.1,1,10, or --no-aware")
        for weight in self.weights:
            if not 0 <= weight < math.inf:
                raise UsageError(f"--penalty {weight:g}: weights of a detector's score are finite, and 0 or more")
        for flag, value in (("--expectation", self.expectation), ("--draws", self.draws), ("--queries", self.queries)):
            if value < 1:
                raise UsageError(f"{flag} {value} is the mean of nothing; pass 1 or more")
        return replace(self, defenses=tuple(dict.fromkeys([NONE, *texts])))

    @property
    def needs_clean(self) -> bool:
        """Whether clean images set a threshold."""
        return any(needs_clean(text) for text in self.defenses)

    @property
    def searches(self) -> bool:
        """Whether there is a search by scores."""
        return self.search or self.effort == "thorough"

    def record(self) -> dict[str, Any]:
        """All that numbers depend on, in TOML's types, under the names of the flags."""
        own: dict[str, Any] = {"defense": ",".join(self.defenses), "aware": self.aware, "draws": self.draws}
        if self.needs_clean:
            own["fpr"] = self.fpr
        if self.aware:
            own |= {"penalty": ",".join(f"{weight:g}" for weight in self.weights), "expectation": self.expectation}
            own |= {"effort": self.effort, "search": self.search, "checks": self.checks}
            own |= {"queries": self.queries} if self.searches else {}
        return own


def texts_of(defenses: str | Sequence[str]) -> tuple[str, ...]:
    """Texts separated by commas outside parentheses, or a sequence of them.

    Raises:
        UsageError: there are none.
    """
    found = tuple(part for part in (split(defenses, ",") if isinstance(defenses, str) else defenses) if part)
    if not found:
        raise UsageError("--defense is empty; pass names such as median+detect, or none")
    return found
