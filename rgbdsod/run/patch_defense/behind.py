"""A victim's problem behind a defence, as somebody attacks it who knows the defence."""

import copy
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks import Problem
from rgbdsod.attacks.patch.scene import Beside
from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.defenses import Purifier, through
from rgbdsod.defenses.patch.purifier import installed
from rgbdsod.run.patch_defense.aware.variant import Aim
from rgbdsod.run.patch_defense.lineup import chosen_rows
from rgbdsod.run.patch_defense.subject import Looked, Subject
from rgbdsod.run.patch_defense.watched import Watched
from rgbdsod.types import Inputs


class Behind:
    """A problem whose model sees what a defence leaves of its inputs.

    The gradient goes through the defence, or through its stand-in where it has none of its own (BPDA). Points are
    ranked by the victim's own objective behind the true defence; what is wanted of the defence steers, and decides
    nothing.

    Args:
        victim: the problem without a defence.
        purifier: the defence.
        aim: what the attack wants of the defence itself; None: nothing.
        objects: where objects are, bool (B,1,H,W), for placements that ask; None: as the victim says.

    Source: Athalye et al., arXiv 1802.00420, section 4.1; Tramer et al., arXiv 2002.08347.
    """

    def __init__(
        self, victim: Problem, purifier: Purifier, *, aim: Aim | None = None, objects: Tensor | None = None
    ) -> None:
        self._victim, self._purifier, self._aim = victim, purifier, aim
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

    @property
    def attacked(self) -> list[Tensor] | None:
        """The box of each attacked object of each image, (n,4), where the victim knows them."""
        targets = getattr(self._victim, "targets", None)
        return None if targets is None else [target.boxes for target in targets]

    def forward(self, inputs: Inputs) -> Watched:
        """The victim's outputs for the purified inputs."""
        given = {**self._fixed, **inputs}
        purified = through(self._purifier, given)
        with installed(self._purifier):
            outputs = self._victim.forward({key: purified.inputs[key] for key in self.inputs})
        return Watched(outputs, purified.score, purified.mask, given)

    @property
    def steer(self) -> Callable[[Watched, Tensor], Wish] | None:
        """What the attack wants of the defence, as `rgbdsod.attacks.patch.steering` asks for it."""
        return None if self._aim is None else self._wish

    def loss(self, outputs: Watched, progress: float = 0.0) -> Tensor:
        """The victim's objective, (B,)."""
        return self._victim.loss(outputs.outputs, progress)

    def track(self, outputs: Watched) -> Tensor:
        """What the victim ranks by, or its objective at the end, (B,)."""
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

    def _wish(self, seen: Watched, hidden: Tensor) -> Wish:
        """What the attack wants of the defence, and how far from it a batch is."""
        if self._aim is None:
            raise RuntimeError("nothing is wanted of the defence")
        return self._aim(seen, hidden, self._objects, self._purifier)

    def _with(self, **changes: object) -> Self:
        other = copy.copy(self)
        vars(other).update(changes)
        return other


@torch.no_grad()
def behind(purifier: Purifier, inputs: Inputs, subject: Subject, hidden: Tensor) -> tuple[list[Looked], Tensor]:
    """What a victim behind a defence makes of a batch, and where the defence saw patches, bool (B,1,H,W).

    Args:
        purifier: the defence.
        inputs: the batch.
        subject: its victim.
        hidden: the patches, which measures leave out, bool (B,1,H,W).
    """
    found = purifier(inputs)
    with installed(purifier):
        return subject.look(found.inputs, hidden), found.mask >= 0.5
