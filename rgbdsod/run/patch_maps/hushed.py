"""Patches that know a map: the victim's problem with a price on what the map shows under the patch."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from rgbdsod.attacks import Problem
from rgbdsod.attacks.patch.scene import Beside
from rgbdsod.attacks.randomness import stream
from rgbdsod.defenses.patch.cross.influence import Window, acted, windows_of
from rgbdsod.defenses.patch.cross.streams import Model, Staged
from rgbdsod.types import Inputs

WINDOWS = 4
"""Windows of a step in which the influence of the patch is watched."""

_TOUCHING = 0.25  # share of a window that a patch covers


@dataclass(frozen=True, eq=False)
class Moment:
    """When and where a price is asked.

    Args:
        inputs: all inputs of the victim, patched.
        hidden: the patches, bool (B,1,H,W).
        ids: of the samples.
        progress: of the attack, 0 to 1.
    """

    inputs: Inputs
    hidden: Tensor
    ids: Sequence[str]
    progress: float


Price = Callable[[Moment], Tensor]
"""What a patch shows, (B,), 1 where it is at the threshold of clean pixels; differentiable."""


class Heard(NamedTuple):
    """What the victim makes of inputs, and these."""

    outputs: Any
    inputs: Inputs


class Hushed:
    """The victim's problem less what a map shows of the patch.

    Points are ranked by the same sum: a patch that harms and is seen at once is not what is sought.

    Args:
        victim: the problem, of saliency maps.
        price: of being seen.
        weight: of it.
        ids: of the samples.

    Source: Tramer et al., "On Adaptive Attacks", arXiv 2002.08347, section 3; the prices: own.
    """

    def __init__(self, victim: Problem, price: Price, weight: float, ids: Sequence[str]) -> None:
        self._victim, self._price, self._weight, self._ids = victim, price, weight, tuple(ids)
        self._fixed: dict[str, Tensor] = {}
        self._hidden: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        """What it does not know itself, it knows of the victim."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._victim, name)

    def forward(self, inputs: Inputs) -> Heard:
        """The victim's outputs."""
        whole = {**self._fixed, **inputs}
        return Heard(self._victim.forward({name: whole[name] for name in self._victim.inputs}), whole)

    def loss(self, outputs: Heard, progress: float = 0.0) -> Tensor:
        """The victim's objective less the price, (B,)."""
        loss = self._victim.loss(outputs.outputs, progress)
        if self._hidden is None:
            return loss
        return loss - self._weight * self._price(Moment(outputs.inputs, self._hidden, self._ids, progress)).to(loss)

    def track(self, outputs: Heard) -> Tensor | None:
        """The loss ranks."""
        return None

    def fooled(self, outputs: Heard) -> Tensor:
        """Whether the victim's aim is reached."""
        return self._victim.fooled(outputs.outputs)

    def beside(self, hidden: Tensor) -> Self:
        """The problem of a patch at this place, bool (B,1,H,W)."""
        victim = self._victim.beside(hidden) if isinstance(self._victim, Beside) else self._victim
        return self._with(_victim=victim, _hidden=hidden)

    def given(self, fixed: Inputs) -> Self:
        """The problem with some inputs filled in; the map reads them too."""
        return self._with(_fixed={**self._fixed, **fixed})

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        return self._with(
            _victim=self._victim.select(index),
            _ids=tuple(self._ids[row] for row in index.tolist()),
            _fixed={name: value[index.to(value.device)] for name, value in self._fixed.items()},
            _hidden=None if self._hidden is None else self._hidden[index.to(self._hidden.device)],
        )

    def _with(self, **changes: object) -> Self:
        other = copy(self)
        vars(other).update(changes)
        return other


def shown(read: Callable[[Inputs], Tensor], threshold: float) -> Price:
    """The mean of a map (B,1,H,W) under the patch, over its clean threshold."""

    def price(moment: Moment) -> Tensor:
        under = moment.hidden.to(next(iter(moment.inputs.values())))
        found = read(moment.inputs) / max(abs(threshold), 1e-6)
        return (found * under).flatten(1).sum(1) / under.flatten(1).sum(1).clamp_min(1)

    return price


def influential(model: Model, grid: int, threshold: float, seed: int) -> Price:
    """The influence of four drawn windows of RGB that touch the patch, others at each step, over the clean threshold.

    Args:
        model: whose map is watched.
        grid: windows each way.
        threshold: of the influence on clean images.
        seed: of the draws, with the sample's id and the progress.
    """

    def price(moment: Moment) -> Tensor:
        rgb, depth = moment.inputs["rgb"], moment.inputs["depth"]
        size = (rgb.shape[-2], rgb.shape[-1])
        staged, windows = Staged(model, size), windows_of(*size, grid)
        kept = staged.encode("depth", depth)

        def after(image: Tensor) -> Tensor:
            return staged.map({"rgb": staged.encode("rgb", image), "depth": kept})

        before = after(rgb)
        drawn = [
            _drawn(windows, hidden, stream(seed, sample, "hushed", round(moment.progress * 1e4)))
            for hidden, sample in zip(moment.hidden, moment.ids, strict=True)
        ]
        found = [acted(after, before, rgb, chosen) for chosen in zip(*drawn, strict=True)]
        return torch.stack(found).mean(0).flatten() / max(threshold, 1e-9)

    return price


def _drawn(windows: Sequence[Window], hidden: Tensor, generator: torch.Generator) -> list[Window]:
    """Four windows that a patch, bool (1,H,W), touches; of fewer, some twice; without a patch, any."""
    touching = [at for at in windows if hidden[(..., *at)].float().mean() >= _TOUCHING] or list(windows)
    return [touching[at] for at in torch.randint(len(touching), (WINDOWS,), generator=generator).tolist()]
