"""All that a measure needs of a mask alone, computed once per mask and kept for each map that it is compared with."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import BoolArray, FloatArray

FOREGROUND = 128
"""A mask's pixel is foreground above this level, so 128 itself is background."""

REACH = 3
"""Half the width of the weighted F-measure's 7x7 filter."""

_BYTES_PER_PIXEL = 16  # region 2, importance 8, nearest 4, inside 1, and the mask itself as the key


def region(mask: Tensor) -> Tensor:
    """Which of 8 kinds each pixel is: part of the image (S-measure) and foreground or not.

    Args:
        mask: uint8 (H, W), on any device.

    Returns:
        int16 (H, W), `256 * (2 * part + foreground)`, ready to have the map's level added. The parts 0..3 (upper left,
        upper right, lower left, lower right) meet at the foreground's centroid; its own row and column belong to the
        upper and left parts. Without foreground the parts do not matter.

    Source:
        Fan et al., Structure-measure, ICCV 2017, section 3.1 (the split); 1708.00786.
    """
    inside = mask > FOREGROUND
    below = _beyond_centroid(inside.sum(dim=1, dtype=torch.int32))
    right = _beyond_centroid(inside.sum(dim=0, dtype=torch.int32))
    return (1024 * below[:, None] + 512 * right).add_(inside, alpha=256)


def _beyond_centroid(profile: Tensor) -> Tensor:
    """1 for each row (or column) after the centroid's, from the number of foreground pixels in each; int16."""
    place = torch.arange(len(profile), device=profile.device)
    # No host synchronisation; without foreground the centroid is row 0.
    centroid = torch.round((profile * place).sum() / profile.sum().clamp(min=1).double())
    return (place > centroid).to(torch.int16)


@dataclass(frozen=True)
class Weighting:
    """What the weighted F-measure needs of a mask with foreground.

    Only the foreground's surroundings are filtered: `window` is its bounding box grown by the filter's reach.

    Attributes:
        foreground: number of foreground pixels.
        importance: (H, W), `2 - 0.5 ** (distance / 5)` off the foreground, 0 on it.
        nearest: int32, of the window's size, place of the nearest foreground pixel in the flattened image.
        inside: bool, of the window's size, True on the foreground.
    """

    foreground: int
    importance: FloatArray
    nearest: NDArray[np.int32]
    inside: BoolArray

    @classmethod
    def of(cls, mask: NDArray[np.uint8]) -> "Weighting | None":
        """The weighting of a mask (H, W), or None if it has no foreground."""
        foreground = mask > FOREGROUND
        if not foreground.any():
            return None
        # The distance follows from the nearest pixel's place; SciPy's own takes as long as finding that place.
        row, column = distance_transform_edt(~foreground, return_distances=False, return_indices=True)
        y, x = (np.arange(side, dtype=np.int32) for side in mask.shape)
        distance = np.sqrt((row - y[:, None]) ** 2 + (column - x) ** 2)
        window = tuple(_surroundings(np.asarray(foreground.any(axis=axis))) for axis in (1, 0))
        return cls(
            foreground=int(np.count_nonzero(foreground)),
            importance=np.where(foreground, 0.0, 2 - np.exp2(distance / -5)),
            nearest=(row[window] * mask.shape[1] + column[window]).astype(np.int32),
            inside=foreground[window],
        )


def _surroundings(occupied: BoolArray) -> slice:
    places = np.flatnonzero(occupied)
    return slice(max(int(places[0]) - REACH, 0), int(places[-1]) + REACH + 1)


class Mask:
    """A mask and what has been computed of it so far.

    Args:
        mask: uint8 (H, W).
    """

    def __init__(self, mask: Tensor) -> None:
        self._mask = mask

    @cached_property
    def region(self) -> Tensor:
        """See `region`."""
        return region(self._mask)

    @cached_property
    def weighting(self) -> Weighting | None:
        """See `Weighting`; None without foreground."""
        return Weighting.of(self._mask.cpu().numpy())


class MaskCache:
    """Masks by their content, so that a mask met again, in whatever array, costs nothing again.

    The masks used longest ago are dropped when the cache is full.

    Args:
        megabytes: memory to use at most, above 0. A mask of 480x640 takes 5.

    Raises:
        UsageError: if `megabytes` is not above 0.
    """

    def __init__(self, megabytes: float = 256) -> None:
        if not megabytes > 0:
            raise UsageError(f"a mask cache of {megabytes} MB holds nothing; pass more than 0, or no cache")
        self._pixels_left = int(megabytes * 1e6 / _BYTES_PER_PIXEL)
        self._masks: OrderedDict[tuple[int, bytes], Mask] = OrderedDict()

    def __len__(self) -> int:
        return len(self._masks)

    def prepare(self, mask: Tensor) -> Mask:
        """The prepared mask for a mask uint8 (H, W) on the CPU."""
        key = (mask.shape[1], mask.numpy().tobytes())  # the width tells 2x6 from 3x4
        if key in self._masks:
            self._masks.move_to_end(key)
            return self._masks[key]
        prepared = Mask(mask.clone())  # the caller may write to its own
        self._masks[key] = prepared
        self._pixels_left -= mask.numel()
        while self._pixels_left < 0:
            (_, content), _ = self._masks.popitem(last=False)
            self._pixels_left += len(content)
        return prepared


def prepare(mask: Tensor, cache: MaskCache | None) -> Mask:
    """The prepared mask, from the cache if there is one and the mask lies on the CPU."""
    return Mask(mask) if cache is None or mask.is_cuda else cache.prepare(mask)
