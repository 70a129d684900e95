"""The attacks of a zero-shot evaluation, each a list of the common core's. Imports no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rgbdsod.errors import UsageError

if TYPE_CHECKING:
    from rgbdsod.attacks.suites.member import Member

STEPS = 100
RIVALS = 9
"""Other classes that a targeted attack is led to, at most."""

DRAWS = 10
"""Random points of "noise"."""

_FEWEST_FOR_DLR = 4

Make = Callable[[int | None, Mapping[str, Any], int], "list[Member]"]
"""(steps or None, settings of the walk, classes) -> the attacks, in their order."""


@dataclass(frozen=True)
class ZeroShotAttack:
    """One attack.

    Args:
        name: what a user types.
        summary: what it is.
        members: the attacks of the common core that it is made of.
        norm: of its budget.
        walks: whether it goes to a last point, so that `verdict` and `as_released` mean something.
        gathers: whether it can hold the images of several batches, and lets them through the encoder one batch at a
            time; attacks that look for the smallest change keep the graphs of all that they hold.
    """

    name: str
    summary: str
    members: Make
    norm: str = "linf"
    walks: bool = False
    gathers: bool = True


def _pgd(steps: int | None, walk: Mapping[str, Any], classes: int) -> "list[Member]":
    from rgbdsod.attacks.suites.member import Member

    return [Member("pgd", {"steps": steps or STEPS, **walk}, "ce")]


def _cw_linf(steps: int | None, walk: Mapping[str, Any], classes: int) -> "list[Member]":
    from rgbdsod.attacks.suites.member import Member

    return [Member("pgd", {"steps": steps or STEPS, **walk}, "cw-margin")]


def _fast(steps: int | None, walk: Mapping[str, Any], classes: int) -> "list[Member]":
    from rgbdsod.attacks.suites.member import Member

    own = {"steps": steps or STEPS}
    targeted = Member("apgd-t", {**own, "rivals": min(RIVALS, classes - 1)})
    return [Member("apgd", own, "ce"), targeted if classes >= _FEWEST_FOR_DLR else Member("apgd", own, "margin")]


def _standard(steps: int | None, walk: Mapping[str, Any], classes: int) -> "list[Member]":
    from rgbdsod.attacks.suites.member import Member

    return [Member("autoattack", {"version": "standard", "steps": steps or STEPS})]


def _cw(steps: int | None, walk: Mapping[str, Any], classes: int) -> "list[Member]":
    from rgbdsod.attacks.suites.member import Member

    return [Member("cw", {} if steps is None else {"steps": steps})]


def _noise(steps: int | None, walk: Mapping[str, Any], classes: int) -> "list[Member]":
    from rgbdsod.attacks.suites.member import Member

    return [Member("noise", {"draws": DRAWS})]


ZERO_SHOT_ATTACKS: Mapping[str, ZeroShotAttack] = {
    row.name: row
    for row in (
        ZeroShotAttack("pgd", "PGD on cross-entropy from a random start, 100 steps of eps/4", _pgd, walks=True),
        ZeroShotAttack("aa-fast", "APGD on cross-entropy, then APGD towards the 9 strongest other classes", _fast),
        ZeroShotAttack("aa-standard", "the standard AutoAttack: aa-fast, FAB and Square", _standard, gathers=False),
        ZeroShotAttack("cw-linf", "PGD on the margin up to kappa 50, 100 steps of eps/4", _cw_linf, walks=True),
        ZeroShotAttack("cw", "the smallest L2 change, by Carlini and Wagner's search", _cw, norm="l2", gathers=False),
        ZeroShotAttack("noise", "the worst of 10 random points: every attack must be stronger", _noise),
    )
}


def find_attack(name: str) -> ZeroShotAttack:
    """An attack by name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in ZERO_SHOT_ATTACKS:
        raise UsageError(f'no zero-shot attack "{name}"; they are {", ".join(ZERO_SHOT_ATTACKS)}')
    return ZERO_SHOT_ATTACKS[name]
