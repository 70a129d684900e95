"""The attacks that are compared, with the settings that all contestants get."""

from dataclasses import dataclass, replace
from typing import Literal, Self


@dataclass(frozen=True)
class Case:
    """One attack.

    Args:
        name: what a user types; also the attack's name in `rgbdsod.attacks.table.ATTACKS`.
        norm: of the change.
        eps: its radius; None: the smallest change that fools is looked for.
        steps: of the attack, as every contestant counts them.
        floor: what a bare step is made of: "gradient" is a forward and a backward pass, "forward" is one forward pass,
            "jacobian" one forward and two backward passes.
        unit: bare steps of the floor; None: as many forward passes as the contestant asked for itself.
        step_size: of fixed-radius attacks.
        targeted: whether the next class is to be reached.
    """

    name: str
    norm: Literal["linf", "l2", "l0"]
    eps: float | None
    steps: int
    floor: Literal["gradient", "forward", "jacobian"] = "gradient"
    unit: int | None = None
    step_size: float = 0.0
    targeted: bool = False

    @property
    def title(self) -> str:
        """The name with its steps."""
        return f"{self.name}-{self.steps}"

    def within(self, eps: float) -> Self:
        """The case with another radius, where it has one, its step in proportion."""
        return self if self.eps is None else replace(self, eps=eps, step_size=self.step_size * eps / self.eps)

    def lasting(self, steps: int) -> Self:
        """The case with another number of steps, its floor in proportion."""
        return replace(self, steps=steps, unit=None if self.unit is None else round(self.unit * steps / self.steps))


CW_CONSTANT = 1.0
"""The weight of the margin in C&W and ZOO, without a search for it: one round is the same work for all peers."""

COORDINATES = 128
"""That ZOO looks at in a step, with two queries each."""

DECISIONS = 180
"""That foolbox's HopSkipJump asks for in each of its first three steps, its start and searches included."""

NEIGHBOURS = 5
"""Of VMI-FGSM, beside the point itself."""

_LEVEL = 1 / 255
CASES = {
    case.name: case
    for case in (
        Case("pgd", "linf", 8 * _LEVEL, 20, unit=20, step_size=2 * _LEVEL),
        Case("mifgsm", "linf", 8 * _LEVEL, 10, unit=10, step_size=0.8 * _LEVEL),
        Case("apgd", "linf", 8 * _LEVEL, 50, unit=50),
        Case("cw", "l2", None, 100, unit=100),
        Case("deepfool", "l2", None, 50, unit=10),
        Case("jsma", "l0", None, 20, "jacobian", unit=20, targeted=True),
        Case("square", "linf", 8 * _LEVEL, 100, "forward", unit=100),
        Case("hopskipjump", "l2", None, 3, "forward"),
        Case("zoo", "l2", None, 10, "forward"),
        Case("nifgsm", "linf", 8 * _LEVEL, 10, unit=10, step_size=0.8 * _LEVEL),
        Case("vmifgsm", "linf", 8 * _LEVEL, 10, unit=10 * (NEIGHBOURS + 1), step_size=0.8 * _LEVEL),
        Case("ddn", "l2", None, 100, unit=100),
        Case("fmn", "l2", None, 100, unit=100),
        Case("fab", "l2", None, 20, unit=20),
    )
}
TIMED = ("pgd", "mifgsm", "apgd", "cw", "deepfool", "jsma", "square", "hopskipjump", "zoo")
