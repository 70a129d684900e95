"""What depth in metres has to be before it is encoded."""

import numpy as np
from numpy.typing import ArrayLike

from rgbdsod.datasets.hha.geometry import Flags, Floats
from rgbdsod.errors import UsageError

_FARTHEST = 100.0  # metres; more is a unit that was mistaken
_PLAIN = 2


def check_depth(depth: ArrayLike, valid: ArrayLike | None) -> tuple[Floats, Flags]:
    """Depth in metres as (H,W) float64, and where it was measured.

    Raises:
        UsageError: another shape, NaN, negative values, zeros that are not marked as missing, or above 100 m.
    """
    metres = np.asarray(depth, np.float64)
    if metres.ndim != _PLAIN or not metres.size:
        raise UsageError(f"depth has shape {metres.shape}; pass (H, W) in metres")
    measured = np.ones(metres.shape, bool) if valid is None else np.asarray(valid, bool)
    if measured.shape != metres.shape:
        raise UsageError(f"valid has shape {measured.shape} but depth {metres.shape}; give both the same height, width")
    bad = int(metres.size - np.isfinite(metres).sum())
    if bad:
        raise UsageError(f"depth has {bad} values that are not finite; write 0 there and pass valid=depth > 0")
    if metres.min() < 0:
        raise UsageError(f"depth goes down to {metres.min():g} m; distances are positive, and 0 where missing")
    zeros = int(((metres == 0) & measured).sum())
    if zeros:
        raise UsageError(f"depth is 0 at {zeros} pixels that count as measured; fill them, or pass valid=depth > 0")
    if metres.max() > _FARTHEST:
        raise UsageError(
            f"depth goes up to {metres.max():g} m; are these millimetres? Divide by 1000 (or 10000 for tenths of them)"
        )
    return metres, measured


def check_gravity(gravity: ArrayLike | None) -> Floats | None:
    """A direction as (3,) float64 of length 1; None stays None.

    Raises:
        UsageError: it is no direction.
    """
    if gravity is None:
        return None
    down = np.asarray(gravity, np.float64)
    length = float(np.linalg.norm(down)) if down.shape == (3,) and np.isfinite(down).all() else 0.0
    if length == 0:
        raise UsageError(f"gravity is {down.tolist()}; pass a direction (x, y, z) with y down, such as (0, 1, 0)")
    unit: Floats = down / length
    return unit
