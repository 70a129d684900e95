"""Defences that draw: each call anew, each sample by its own numbers."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from torch import Tensor

from rgbdsod.attacks.randomness import Streams
from rgbdsod.defenses.patch.purifier import Defence
from rgbdsod.errors import UsageError


@dataclass(frozen=True, eq=False, kw_only=True)
class RandomDefence(Defence):
    """A defence whose calls differ.

    The numbers of a sample depend on the seed, its id, and how often the defence saw it: neither its neighbours in the
    batch nor the batch's size change them. Two attacks, or an attack and the verdict on it, each get draws of their own
    by `given`.

    Args:
        on: the inputs that it works on; None: all.
        seed: of all draws.
    """

    seed: int = 0
    ids: tuple[str, ...] | None = field(default=None, init=False, repr=False)
    purpose: str = field(default="", init=False, repr=False)
    calls: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    random: ClassVar[bool] = True

    def given(self, ids: Sequence[str], purpose: str = "") -> Self:
        """The same defence for these samples, at its first draw.

        Args:
            ids: one for each sample of the batches to come.
            purpose: what the draws are for; other purposes, other draws.
        """
        other = copy.copy(self)
        vars(other).update(ids=tuple(ids), purpose=purpose, calls={})
        return other

    def select(self, index: Tensor) -> Self:
        """The same for some of the samples; their draws go on."""
        if self.ids is None:
            return self
        other = copy.copy(self)
        vars(other).update(ids=tuple(self.ids[row] for row in index.tolist()))
        return other

    def streams(self, count: int) -> Streams:
        """The numbers of one call on so many samples.

        Raises:
            UsageError: the batch is not the one that ids were given for.
        """
        names = self.ids if self.ids is not None else tuple(map(str, range(count)))
        if len(names) != count:
            raise UsageError(f"{self.name} was given {len(names)} ids and got {count} images; call .given(ids) anew")
        turns = []
        for name in names:
            self.calls[name] = self.calls.get(name, 0) + 1
            turns.append(f"{name}\x1f{self.calls[name]}")
        return Streams(self.seed, turns, self.name, self.purpose)
