"""What the numbers in a depth file mean, and how they become depth in [0, 1] with near = 1."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.hha.scale import DepthScale
from rgbdsod.datasets.images import read_raw_depth
from rgbdsod.datasets.sample import Flags, Map, on_grid
from rgbdsod.datasets.sensor import fill
from rgbdsod.errors import UsageError

Near = Literal["bright", "dark"]
Unit = Literal["relative", "mm"]

COARSE, FINE = 255, 65535


@dataclass(frozen=True)
class DepthConvention:
    """How a depth file is read.

    8-bit values are divided by 255 as they are, since most packages stretched them already. 16-bit and float values
    are stretched from their smallest to their largest measured value, unless `value_range` fixes what becomes 0 and 1;
    floats that lie in [0, 1] already are taken as they are. 0 means missing in 16-bit files and in millimetres, unless
    `value_range` begins at 0.

    Args:
        near: whether near things have large values ("bright": disparity) or small ones ("dark": distance).
        value_range: the values, in the file's unit, that become the ends of [0, 1]; "full": all that the file's type
            can hold, so that nothing is stretched; None: as above.
        unit: "mm": distances in millimetres; "relative": no unit.
    """

    near: Near = "bright"
    value_range: tuple[float, float] | Literal["full"] | None = None
    unit: Unit = "relative"

    def __post_init__(self) -> None:
        if self.near not in ("bright", "dark"):
            raise UsageError(f'near is "{self.near}"; expected "bright" or "dark"')
        if self.unit not in ("relative", "mm"):
            raise UsageError(f'--depth-unit {self.unit} is not known; expected "mm" or "relative"')
        if isinstance(self.value_range, tuple):
            low, high = self.value_range
            if not (np.isfinite([low, high]).all() and low < high):
                raise UsageError(f"--depth-range {low:g},{high:g} is no range; the first value must be the smaller one")
        elif self.value_range not in (None, "full"):
            raise UsageError(f'depth range is "{self.value_range}"; expected two values, or "full"')

    @property
    def words(self) -> str:
        """The convention as a phrase for tables and records."""
        if self.value_range is None:
            scale = "8 bit as it is, 16 bit and float stretched per image, 0 = missing in 16 bit"
        elif self.value_range == "full":
            scale = "not stretched"
        else:
            low, high = self.value_range
            scale = f"{low:g} to {high:g} become the ends of [0, 1]"
        return f"near is {self.near}; {scale}" + ("; millimetres, 0 = missing" if self.unit == "mm" else "")

    @property
    def scale(self) -> DepthScale | None:
        """What depth means in metres: known for millimetres between two limits that are the same for all images."""
        if self.unit != "mm" or self.near != "dark" or not isinstance(self.value_range, tuple):
            return None
        near, far = (limit / 1000 for limit in self.value_range)
        return DepthScale(near, far, "linear") if near > 0 else None


AS_WRITTEN = DepthConvention(value_range="full")
"""What `write_depth` writes: near is bright, nothing stretched, nothing missing."""


@dataclass(frozen=True)
class DepthMap:
    """Depth in [0, 1], near = 1.

    Attributes:
        depth: (H,W).
        valid: (H,W) False where nothing was measured and `depth` was filled in.
        levels: grid of the values.
        constant: the file tells nothing apart, so `depth` is 0.5 everywhere.
    """

    depth: Map
    valid: Flags
    levels: int
    constant: bool = False

    def resized(self, size: tuple[int, int]) -> "DepthMap":
        """At another size (H, W): nearest where there are holes, which must not mix with real values; else bilinear."""
        whole = bool(self.valid.all())
        how = cv2.INTER_LINEAR if whole else cv2.INTER_NEAREST
        depth = cv2.resize(self.depth, size[::-1], interpolation=how).astype(np.float32)
        valid = cv2.resize(self.valid.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
        return DepthMap(depth if self.constant else on_grid(depth, self.levels), valid, self.levels, self.constant)


def read_depth(path: str | Path, convention: DepthConvention = AS_WRITTEN) -> Map:
    """(H,W) depth of a file in [0, 1], near = 1; without a convention, as `write_depth` wrote it.

    Raises:
        DataError: the file is missing or damaged, is a colour picture, or holds values that are not finite.
    """
    return decode(read_raw_depth(Path(path)), convention).depth


def decode(raw: NDArray[Any], convention: DepthConvention) -> DepthMap:
    """Give the values of a depth file their meaning.

    Args:
        raw: (H,W) uint8, uint16 or float32.
        convention: what the values mean.
    """
    values = raw.astype(np.float64)
    levels = COARSE if raw.dtype == np.uint8 else FINE
    valid = values != 0 if _zero_is_missing(raw, convention) else np.ones(raw.shape, bool)
    low, high = _ends(raw, valid, convention)
    measured = values[valid]
    # With limits that were given, a flat map has a meaning; stretched to its own limits, it has none.
    if not measured.size or (convention.value_range is None and measured.min() == measured.max()):
        return DepthMap(np.full(raw.shape, 0.5, np.float32), valid, FINE, constant=True)
    depth = (values - low) / (high - low)
    if convention.near == "dark":
        depth = 1 - depth
    # The limits are those of the clean map and go nowhere else: an attack that moves an extreme pixel rescales nothing.
    return DepthMap(fill(on_grid(depth, levels), valid), valid, levels)


def _zero_is_missing(raw: NDArray[Any], convention: DepthConvention) -> bool:
    if convention.value_range == "full" or (convention.value_range and convention.value_range[0] <= 0):
        return False
    return raw.dtype == np.uint16 or convention.unit == "mm"


def _ends(raw: NDArray[Any], valid: Flags, convention: DepthConvention) -> tuple[float, float]:
    """The values that become the ends of [0, 1]."""
    top = {"uint8": COARSE, "uint16": FINE}.get(raw.dtype.name, 1)
    if convention.value_range == "full":
        return 0, top
    if convention.value_range is not None:
        return convention.value_range
    measured = raw[valid]
    if not measured.size:
        return 0, top
    low, high = float(measured.min()), float(measured.max())
    stretched = convention.unit == "mm" or raw.dtype == np.uint16 or low < 0 or high > top
    return (low, high) if stretched else (0, top)
