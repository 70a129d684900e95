"""One way to attack a victim behind a defence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from torch import Tensor

from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.defenses import Purifier
from rgbdsod.run.patch_defense.watched import Watched


class Aim(Protocol):
    """What an attack wants of the defence itself, besides what it wants of the victim."""

    def __call__(self, seen: Watched, hidden: Tensor, objects: Tensor | None, purifier: Purifier) -> Wish:
        """How far from being met.

        Args:
            seen: what defence and victim make of a batch.
            hidden: the pixels under and around the patch, bool (B,1,H,W).
            objects: where objects are, bool (B,1,H,W); None: not known.
            purifier: the defence.
        """
        ...


@dataclass(frozen=True)
class Variant:
    """One way to attack.

    Args:
        name: what tables call it.
        summary: one line.
        settings: of `adversarial_patch`, over those of the run.
        aim: makes what is wanted of the defence, of a weight; None: nothing.
        weights: of the aim, one attack for each; empty: those of the run.
        start: where it begins: "cold": as the run says; "unaware": at the patch that does not know the defence;
            "worst": at the worst patch so far.
        repeat: how many times the run's steps it takes.
    """

    name: str
    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    aim: "type[Weighted] | None" = None
    weights: Sequence[float] = (1.0,)
    start: Literal["cold", "unaware", "worst"] = "cold"
    repeat: int = 1

    def attacks(self, weights: Sequence[float]) -> "list[Attack]":
        """The attacks of this variant.

        Args:
            weights: the run's; 0 is an attack without an aim, which every defence gets anyway.
        """
        if self.aim is None:
            return [Attack(self.name, self, None)]
        own = self.weights or [weight for weight in weights if weight]
        alone = len(self.weights) == 1
        return [Attack(self.name if alone else f"{self.name} {weight:g}", self, self.aim(weight)) for weight in own]


@dataclass(frozen=True)
class Weighted:
    """An aim with its weight against the victim's gradient, both of mean 1."""

    weight: float

    def __call__(self, seen: Watched, hidden: Tensor, objects: Tensor | None, purifier: Purifier) -> Wish:
        """How far from being met."""
        raise NotImplementedError


@dataclass(frozen=True)
class Attack:
    """A variant with its weight.

    Args:
        name: the variant's, and the weight where there are several.
        variant: of which it is one.
        aim: what it wants of the defence; None: nothing.
    """

    name: str
    variant: Variant
    aim: Weighted | None

    def longer(self, times: int) -> "Attack":
        """The same with so many times the steps."""
        return replace(self, variant=replace(self.variant, repeat=self.variant.repeat * times))
