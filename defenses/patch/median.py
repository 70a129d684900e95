"""Median smoothing."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from rgbdsod.attacks.patch.transforms.medians import window_median
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
        return by_plane(image, partial(window_median, window=self.window))
