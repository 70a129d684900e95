"""A victim's problem behind a defence, as somebody attacks it who knows the defence."""

import copy
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks import Problem
from rgbdsod.attacks.patch.scene import Beside
from rgbdsod.defenses import Purifier, through
from rgbdsod.run.patch_defense.lineup import chosen_rows
from rgbdsod.types import Inputs


class Watched(NamedTuple):
    """What the victim makes of purified inputs, and how much the defence saw, (B,)."""

    outputs: Any
    score: Tensor


class Behind:
    """A problem whose model sees what a defence leaves of its inputs.

    The gradient goes through the defence, or through its stand-in where it has none of its own (BPDA). Points are
    ranked by the victim's own objective behind the true defence; the penalty steers, and decides nothing.

    Args:
        victim: the problem without a defence.
        purifier: the defence.
        penalty: weight of the defence's score, which the attack keeps low.
        objects: where objects are, bool (B,1,H,W), for placements that ask; None: as the victim says.

    Source: Athalye et al., arXiv 1802.00420, section 4.1; Tramer et al., arXiv 2002.08347.
    """

    def __init__(
        self, victim: Problem, purifier: Purifier, *, penalty: float = 0.0, objects: Tensor | None = None
    ) -> None:
        self._victim, self._purifier, self._penalty = victim, purifier, penalty
        self._objects = getattr(victim, "objects", None) if objects is None else objects
        self._fixed: dict[str, Tensor] = {}

    @property
    def name(self) -> str:
        """The victim's name and the defence's."""
        return f"{self._victim.name} behind {self._purifier.name}"

    @property
    def kind(self) -> str:
        """The victim's."""
        return self._victim.kind

    @property
    def inputs(self) -> tuple[str, ...]:
        """The victim's."""
        return self._victim.inputs

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The victim's, and the defence's own."""
        return (*self._victim.modules, *getattr(self._purifier, "modules", ()))

    @property
    def objects(self) -> Tensor | None:
        """Where objects are, bool (B,1,H,W), if anybody knows."""
        return self._objects

    def forward(self, inputs: Inputs) -> Watched:
        """The victim's outputs for the purified inputs."""
        purified = through(self._purifier, {**self._fixed, **inputs})
        return Watched(self._victim.forward({key: purified.inputs[key] for key in self.inputs}), purified.score)

    def loss(self, outputs: Watched, progress: float = 0.0) -> Tensor:
        """The victim's objective less the penalty, (B,)."""
        loss = self._victim.loss(outputs.outputs, progress)
        return loss - self._penalty * outputs.score.to(loss) if self._penalty else loss

    def track(self, outputs: Watched) -> Tensor:
        """The victim's objective, without the penalty, (B,)."""
        found = self._victim.track(outputs.outputs)
        return self._victim.loss(outputs.outputs, 1.0) if found is None else found

    def fooled(self, outputs: Watched) -> Tensor:
        """Whether the victim's aim is reached."""
        return self._victim.fooled(outputs.outputs)

    def beside(self, hidden: Tensor) -> Self:
        """The problem without the pixels under a patch, bool (B,1,H,W), where the victim can leave them out."""
        return self._with(_victim=self._victim.beside(hidden)) if isinstance(self._victim, Beside) else self

    def given(self, fixed: Inputs) -> Self:
        """The problem with some inputs filled in; the defence may change these too, so nothing is computed ahead."""
        return self._with(_fixed={**self._fixed, **fixed})

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        return self._with(
            _victim=self._victim.select(index),
            _purifier=chosen_rows(self._purifier, index),
            _objects=None if self._objects is None else self._objects[index.to(self._objects.device)],
            _fixed={name: value[index.to(value.device)] for name, value in self._fixed.items()},
        )

    def _with(self, **changes: object) -> Self:
        other = copy.copy(self)
        vars(other).update(changes)
        return other


@torch.no_grad()
def purified(purifier: Purifier, inputs: Inputs) -> tuple[dict[str, Tensor], Tensor]:
    """What a defence makes of a batch, and where it saw patches, bool (B,1,H,W)."""
    found = purifier(inputs)
    return found.inputs, found.mask >= 0.5
