"""Fewer levels."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rgbdsod.attacks import Bpda
from rgbdsod.defenses.patch.purifier import Differentiable, Filter
from rgbdsod.errors import UsageError


@dataclass(frozen=True, eq=False, kw_only=True)
class Bits(Filter):
    """Each value rounded to the nearest of 2^b levels; its gradient is taken as that of the identity.

    Args:
        on: the inputs that are rounded; None: all.
        bits: b, 1 to 16.

    Raises:
        UsageError: a number of bits outside.

    Source: Xu et al., "Feature Squeezing", NDSS 2018, arXiv 1704.01155, section III-A.
    """

    bits: int = 5

    name: ClassVar[str] = "bits"
    differentiable: ClassVar[Differentiable] = "bpda"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16:
            raise UsageError(f"bits={self.bits}; pass 1 to 16")

    def filter(self, image: Tensor) -> Tensor:
        """The rounded image."""
        top = 2**self.bits - 1
        rounded: Tensor = (image * top).round() / top
        return rounded

    def filter_softly(self, image: Tensor) -> Tensor:
        """Rounded values, the identity's gradient."""
        rounded: Tensor = Bpda(self.filter)(image)
        return rounded
