"""What a run on defences asks of images and their victim."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from rgbdsod.attacks import Problem
from rgbdsod.types import Inputs


class Looked(NamedTuple):
    """What a victim makes of one image.

    Args:
        values: measures by name.
        held: how well it stands, higher is better; the worst of several attacks is the one with the lowest.
        kept: what the whole set's measures need besides, such as detections.
    """

    values: dict[str, float | None]
    held: float
    kept: Any = None


class Subject(Protocol):
    """Images of one batch, and the victim that looks at them."""

    @property
    def ids(self) -> Sequence[str]:
        """One for each image."""
        ...

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The clean images by input."""
        ...

    @property
    def problem(self) -> Problem:
        """What the attack wants of the undefended victim."""
        ...

    @property
    def objects(self) -> Tensor:
        """Where objects are, bool (B,1,H,W)."""
        ...

    @property
    def floor(self) -> float:
        """An image that stands at this or lower is broken, and need not be attacked again."""
        ...

    def look(self, inputs: Inputs, hidden: Tensor) -> list[Looked]:
        """What the victim makes of images; `hidden`, bool (B,1,H,W), are the patches, which measures leave out."""
        ...
