"""One way to attack a network behind a defence. Imports no torch."""

from dataclasses import dataclass, replace
from typing import Literal, Self

Start = Literal["cold", "unaware", "worst"]
Gradient = Literal["own", "identity", "blurred"]

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
        start: where it begins: "cold": where the attack itself does; "unaware": at the attack that does not know the
            defence; "worst": at the worst so far of each image.
        restarts: of a cold one.
        times: the run's steps.
        stride: a step's share of the radius; None: the run's step, or the attack's own.
        goal: "hide" makes for an empty map, "untargeted" away from the truth.
        objective: what it raises; None: the run's.
        gradient: of filters that draw nothing: their own, or their stand-in's; that of the identity; that of a blur.
        draws: of a random defence in one gradient, as a multiple of the run's.
        quiet: weight of the switch's score in the loss; None: it is not in there.
        world: what the switch is to decide: `NOTHING`, or the input that it drops; None: it decides as it does.
        extra: whether only a run of much effort has it.
    """

    name: str
    summary: str = ""
    attack: str = "pgd"
    start: Start = "cold"
    restarts: int = 1
    times: int = 1
    stride: float | None = None
    goal: Literal["untargeted", "hide"] = "untargeted"
    objective: str | None = None
    gradient: Gradient = "own"
    draws: int = 1
    quiet: float | None = None
    world: str | None = None

    def longer(self, times: int) -> Self:
        """The same with so many times the steps."""
        return replace(self, times=self.times * times)
