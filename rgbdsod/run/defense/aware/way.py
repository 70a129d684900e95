"""One way to attack a network behind a defence. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

Start = Literal["cold", "worst"]
Goal = Literal["untargeted", "hide", "fill"]

SEARCH = "square"
"""The search by scores alone."""

NOTHING = "nothing"
"""The world in which a switch drops no input."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to attack.

    Args:
        name: what tables call it.
        summary: one line.
        attack: a name of `ATTACKS`.
        start: where it begins: "cold": where the attack itself does; "worst": at the worst so far of each image.
        times: the run's steps, so many times,
        least: but at least so many, whatever the run says.
        stride: a step's share of the radius; None: the run's step, or the attack's own.
        settings: of the attack besides.
        goal: "untargeted": away from the truth; "hide": an empty map; "fill": a map that is object everywhere.
        objective: what it raises; None: the run's.
        sharp: what logits are multiplied by before the objective sees them: above 1 it looks at pixels near the cut.
        gradient: of filters that draw nothing: their "own", or their stand-in's; or that of the "identity".
        draws: of a random defence in one gradient, as a multiple of the run's.
        quiet: weight of the switch's score in the loss; None: it is not in there.
        gate: what a switch inside the network is to do with depth: "shut" it out, "open" to it; None: what it does.
        world: what the switch is to decide: `NOTHING`, or the input that it drops; None: it decides as it does.
    """

    name: str
    summary: str = ""
    attack: str = "pgd"
    start: Start = "cold"
    times: int = 1
    least: int = 0
    stride: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    goal: Goal = "untargeted"
    objective: str | None = None
    sharp: float = 1.0
    gradient: Literal["own", "identity"] = "own"
    draws: int = 1
    quiet: float | None = None
    world: str | None = None
    gate: Literal["shut", "open"] | None = None

    def longer(self, times: int) -> Self:
        """The same with so many times the steps."""
        return replace(self, times=self.times * times, least=self.least * times)
