"""Several defences, one after the other."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from rgbdsod.defenses.filters.draws import RandomDefence
from rgbdsod.defenses.patch.aware import through
from rgbdsod.defenses.patch.purifier import Defence, Differentiable, Purified
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Chain:
    """An ordered chain of defences; each works on what the one before it left. An empty one changes nothing.

    A call already carries the gradients of the parts' stand-ins, since two calls of a chain that draws would differ.

    Args:
        name: what a user typed.
        parts: the defences, in their order.
        kept: places of parts whose thresholds a user set, which clean images leave alone.
    """

    name: str
    parts: tuple[Defence, ...]
    kept: frozenset[int] = frozenset()
    straight: bool = True

    @property
    def differentiable(self) -> Differentiable:
        """The worst of the parts'."""
        return max((part.differentiable for part in self.parts), key=("exact", "bpda", "none").index, default="exact")

    @property
    def random(self) -> bool:
        """Whether any part draws."""
        return any(part.random for part in self.parts)

    @property
    def switch(self) -> Switch | None:
        """The part that may drop an input."""
        return next((part for part in self.parts if isinstance(part, Switch)), None)

    def in_front_of(self, victim: object) -> Self:
        """The same chain for this victim."""
        return self._with([part.in_front_of(victim) for part in self.parts])

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.05) -> Self:
        """The same chain, each threshold set by what the parts before it leave of clean images.

        Args:
            inputs: clean images.
            share: of them that a detector may accuse.
        """
        if self.switch is None:
            return self
        done: list[Defence] = []
        current: Inputs = inputs
        for place, part in enumerate(self.parts):
            if isinstance(part, Switch) and place not in self.kept:
                done.append(part.calibrate(current, share))
            else:
                done.append(part)
            current = done[-1](current).inputs
        return self._with(done)

    def given(self, ids: Sequence[str], purpose: str = "") -> Self:
        """The same chain for these samples; see `RandomDefence.given`. Equal parts get draws of their own."""
        return self._with(
            [
                part.given(ids, f"{purpose}\x1f{place}") if isinstance(part, RandomDefence) else part
                for place, part in enumerate(self.parts)
            ]
        )

    def select(self, index: Tensor) -> Self:
        """The same chain for some of the samples."""
        return self._with([part.select(index) if isinstance(part, RandomDefence) else part for part in self.parts])

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While it lasts, the victim computes as all parts want it to."""
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(part.installed())
            yield

    def __call__(self, inputs: Inputs) -> Purified:
        """What the last part leaves; the mask of all, and the score of the detector, else the sum of all."""
        first = next(iter(inputs.values()))
        mask = torch.zeros_like(first[:, :1])
        score = mask.flatten(1).mean(1)
        current, undos = dict(inputs), []
        for part in self.parts:
            found = through(part, current)
            current, mask = found.inputs, torch.maximum(mask, found.mask)
            score = found.score if isinstance(part, Switch) else score + found.score
            undos += [found.undo] if found.undo else []

        def undo(maps: Tensor) -> Tensor:
            for one in reversed(undos):
                maps = one(maps)
            return maps

        return Purified(current, mask, score, undo if undos else None)

    def surrogate(self, inputs: Inputs) -> Purified:
        """The chain itself."""
        return self(inputs)

    def _with(self, parts: Sequence[Defence]) -> Self:
        return replace(self, parts=tuple(parts))
