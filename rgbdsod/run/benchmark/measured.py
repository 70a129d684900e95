"""What is known of a cell once it is measured, image by image."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import RgbdsodError
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.contender import SALIENCY, ZERO_SHOT

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MEASURES = {SALIENCY: "sm", ZERO_SHOT: "accuracy"}
"""The main measure of each world."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A finished cell.

    Args:
        cell: which.
        key: its folder's name.
        model: the network's full name.
        ids: the images (N,).
        clean, attacked: the world's main measure before and after (N,), in [0, 1].
        failed, fails: whether the image fails before, and after (N,).
        more: further measures of each image by column (N,); of maps "clean_mae", "attacked_mae", ...
    """

    cell: Cell
    key: str
    model: str
    ids: tuple[str, ...]
    clean: Floats
    attacked: Floats
    failed: Flags
    fails: Flags
    more: dict[str, Floats] = field(default_factory=dict)

    @property
    def held(self) -> Flags:
        """Images that do not fail before (N,)."""
        return ~self.failed

    @property
    def fooled(self) -> Flags:
        """Of these, those that fail after (N,)."""
        return self.fails & ~self.failed


@dataclass(frozen=True)
class Failure:
    """A cell that could not be measured.

    Args:
        cell: which.
        error: why, in one sentence.
        code: exit code of that kind of error.
    """

    cell: Cell
    error: str
    code: int = 1

    @classmethod
    def of(cls, cell: Cell, error: Exception) -> "Failure":
        """What an error did to a cell; one that is not explained says its kind."""
        if isinstance(error, RgbdsodError):
            return cls(cell, str(error), error.code)
        return cls(cell, f"{type(error).__name__}: {error}".rstrip(": "))
