"""What the original model says about each clean image: computed once where it is kept."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rgbdsod.defenses.zero_shot.hardening import Hardening
from rgbdsod.defenses.zero_shot.parts import TuningBatch
from rgbdsod.defenses.zero_shot.table import METHODS


class Originals:
    """Maps in float16, or embeddings in float32, of the images of a set, filled as the first epoch goes.

    They depend on the image and the frozen model alone, since nothing is augmented. What is kept has gone through the
    same rounding as what is not, so that both ways give the same training.

    Args:
        hardening: asks for them.
        count: images in the set.
        keep: whether to keep them; False computes them anew in each step.
    """

    def __init__(self, hardening: Hardening, count: int, *, keep: bool = True) -> None:
        kind = METHODS[hardening.method.name].reference
        self._dtype = {"attention maps": torch.float16, "embeddings": torch.float32}.get(kind)
        self._hardening, self._keep, self._count = hardening, keep, count
        self._values: Tensor | None = None
        self._known = torch.zeros(count, dtype=torch.bool)

    def complete(self, batch: TuningBatch, positions: Tensor) -> TuningBatch:
        """The batch with what the original model says about it, if the method asks for that.

        Args:
            batch: of clean images.
            positions: of the images in the set, (B,), on the CPU.
        """
        if self._dtype is None:
            return batch
        if self._values is not None and bool(self._known[positions].all()):
            return replace(batch, reference=self._values[positions.to(self._values.device)])
        found = self._hardening.reference(batch)
        if found is None:
            return batch
        found = found.to(self._dtype)
        if self._keep:
            if self._values is None:
                self._values = found.new_zeros((self._count, *found.shape[1:]))
            self._values[positions.to(found.device)] = found
            self._known[positions] = True
        return replace(batch, reference=found)

    @property
    def bytes(self) -> int:
        """Memory that is taken."""
        return 0 if self._values is None else self._values.nbytes

    def state_dict(self) -> dict[str, Any]:
        """What is kept, for a checkpoint: a training that continues then compares with the very same numbers."""
        return {} if self._values is None else {"values": self._values, "known": self._known}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take it back."""
        if self._keep and state:
            self._values, self._known = state["values"].to(device), state["known"]
