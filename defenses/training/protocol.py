"""What a hardening method sees of a training, and what a training asks of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from rgbdsod.types import Inputs, MapModel


class Passes(NamedTuple):
    """What one step of a training costs.

    Attributes:
        forward: passes of the network.
        backward: passes back through it, to its inputs or its weights.
    """

    forward: int
    backward: int


class TrainingStep(Protocol):
    """One batch, and the network that is to learn from it."""

    @property
    def model(self) -> MapModel:
        """The network in training."""
        ...

    @property
    def inputs(self) -> Inputs:
        """The clean inputs by name, (B,C,H,W) in [0, 1]."""
        ...

    @property
    def masks(self) -> Tensor:
        """Ground truth (B,1,H,W) in [0, 1]."""
        ...

    @property
    def sample_ids(self) -> Sequence[str]:
        """One per sample; with `seed` they decide the random starts."""
        ...

    @property
    def seed(self) -> int:
        """Of the training."""
        ...

    @property
    def number(self) -> int:
        """Of the step, from 0."""
        ...

    @property
    def memory(self) -> dict[str, Tensor]:
        """What the method remembers from step to step; the training saves it in its checkpoints."""
        ...

    @property
    def seen(self) -> dict[str, Tensor]:
        """Values by name that the method wants in the log."""
        ...

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """All outputs of the network in training mode, with what the training does to every input (dropout)."""
        ...

    def loss(self, outputs: dict[str, Tensor]) -> Tensor:
        """The training loss of each sample, (B,)."""
        ...

    def logits(self, outputs: dict[str, Tensor]) -> Tensor:
        """The final map's logits, (B,1,H,W)."""
        ...


@runtime_checkable
class MapHardening(Protocol):
    """How a network learns from attacked inputs. It keeps nothing itself: what it remembers is the step's `memory`."""

    @property
    def replays(self) -> int:
        """How many steps in a row see the same batch."""
        ...

    @property
    def passes(self) -> Passes:
        """What a step costs."""
        ...

    def losses(self, step: TrainingStep) -> Tensor:
        """The loss of each sample, (B,), with a graph down to the weights; the training does the one backward pass."""
        ...
