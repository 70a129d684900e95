"""The median of a window, for all pixels at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.planes import by_plane
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import UsageError


@dataclass(frozen=True, eq=False, kw_only=True)
class Median(Filter):
    """Each value replaced by the median of the window around it, per channel; the border is mirrored.

    Args:
        on: the inputs that are filtered; None: all.
        window: side in pixels, odd.

    Raises:
        UsageError: an even window, or one larger than the image.

    Source: Xu et al., "Feature Squeezing", NDSS 2018, arXiv 1704.01155, section III-B.
    """

    window: int = 5

    name: ClassVar[str] = "median"

    def __post_init__(self) -> None:
        if self.window < 1 or self.window % 2 == 0:
            raise UsageError(f"window={self.window}; pass an odd number of pixels")

    def filter(self, image: Tensor) -> Tensor:
        """The filtered image."""
        check_window(self.name, self.window, image, "pass a smaller odd window")
        return by_plane(image, self._median)

    def _median(self, planes: Tensor) -> Tensor:
        radius = self.window // 2
        height, width = planes.shape[-2:]
        padded = F.pad(planes, (radius,) * 4, mode="reflect")
        cells = [padded[..., y : y + height, x : x + width] for y in range(self.window) for x in range(self.window)]
        for low, high in _comparisons(len(cells)):
            cells[low], cells[high] = torch.minimum(cells[low], cells[high]), torch.maximum(cells[low], cells[high])
        return cells[len(cells) // 2]


@cache
def _comparisons(count: int) -> tuple[tuple[int, int], ...]:
    """Comparisons that bring the median of so many values to the middle: those of a sorting network that lead there.

    Comparing whole shifted images keeps everything in long vectors, and the gradient is that of the chosen pixel.
    """
    needed, kept = {count // 2}, []
    for low, high in reversed(list(_sorting_network(count))):
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def _sorting_network(count: int) -> Iterator[tuple[int, int]]:
    """Batcher's merge exchange, for any number of values.

    Source: Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M.
    """
    top = 1 << max((count - 1).bit_length() - 1, 0)
    span = top
    while span:
        other, remainder, distance = top, 0, span
        while True:
            for low in range(count - distance):
                if low & span == remainder:
                    yield low, low + distance
            if other == span:
                break
            distance, other, remainder = other - span, other >> 1, span
        span >>= 1
