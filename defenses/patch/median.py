"""Median smoothing."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from rgbdsod.attacks.patch.transforms.medians import window_median
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.planes import by_plane
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import UsageError

_OPENCV_WINDOWS = (3, 5)
"""Windows in which OpenCV takes the same median of float32, ten times as fast and without a gradient."""


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
        recorded = image.requires_grad and torch.is_grad_enabled()
        plain = image.dtype == torch.float32 and image.device.type == "cpu" and not recorded
        if plain and self.window in _OPENCV_WINDOWS:
            return self._by_opencv(image.detach())
        return by_plane(image, partial(window_median, window=self.window))

    def _by_opencv(self, image: Tensor) -> Tensor:
        """The same values, channel by channel."""
        rim = self.window // 2
        planes = []
        for plane in image.flatten(0, 1).numpy():
            padded = cv2.copyMakeBorder(plane, rim, rim, rim, rim, cv2.BORDER_REFLECT_101)
            planes.append(cv2.medianBlur(padded, self.window)[rim:-rim, rim:-rim])
        return torch.from_numpy(np.stack(planes)).view_as(image)
