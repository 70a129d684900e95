"""One RGB-D image with its mask: the ranges and units that everything downstream relies on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.hha.scale import DepthScale

Map = NDArray[np.float32]
Picture = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sample:
    """One RGB-D image.

    Attributes:
        id: name that is unique in its data set.
        rgb: (H,W,3) uint8, RGB order.
        depth: (H,W) float32 in [0, 1], near = 1, on the grid of `depth_levels`.
        mask: (H,W) uint8 as in the file, salient above 128; None where there is no ground truth.
        valid: (H,W) bool, False where the sensor measured nothing and `depth` was filled in.
        depth_levels: 255 or 65535: the grid on which the depth is saved.
        camera: (3,3) pinhole matrix, for pixel numbers that begin at 1, where known.
        group: samples of one group show the same thing (frames of one film), or are of one kind; None: not known.
        scale: what `depth` means in metres, where known.
    """

    id: str
    rgb: Picture
    depth: Map
    mask: Picture | None
    valid: Flags
    depth_levels: int
    camera: NDArray[np.float64] | None = None
    group: str | None = None
    scale: DepthScale | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.rgb.shape[0], self.rgb.shape[1]


def on_grid(depth: NDArray[np.floating], levels: int) -> Map:
    """The nearest values that a file with `levels` steps can hold, so that what is saved is what was measured."""
    rounded: Map = (np.rint(np.clip(depth, 0, 1).astype(np.float64) * levels) / levels).astype(np.float32)
    return rounded
