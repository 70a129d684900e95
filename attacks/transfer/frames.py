"""Pictures shrunk to a place on their canvas, and maps brought back from it."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Span:
    """Where each sample's shrunk picture lies along one axis of its canvas, as shares of the axis.

    Args:
        side: the picture's length, (B,1).
        start: what is free before it, (B,1).
    """

    side: Tensor
    start: Tensor

    @classmethod
    def drawn(cls, canvas: int, smallest: float, moved: Tensor, size: Tensor, place: Tensor) -> Self:
        """Whole numbers of pixels from numbers in [0, 1); the whole canvas for samples that are not moved."""
        least = max(1, int(smallest * canvas))
        side = (least + size * (canvas - least)).floor()
        start = (place * (canvas - side + 1)).floor()
        side, start = torch.where(moved, side, canvas), torch.where(moved, start, 0)
        return cls(side[:, None] / canvas, start[:, None] / canvas)

    def shrinking(self, count: int) -> Tensor:
        """Weights (B,1,N,N) of a picture's values in each place of the canvas: bilinear, and 0 outside the picture."""
        return _hats((self._centres(count) - self.start * count) / self.side - 0.5)

    def restoring(self, count: int) -> Tensor:
        """Weights (B,1,N,N) of a canvas's values in each place of the picture at full size."""
        first = self.start * count
        return _hats(torch.clamp(first + self._centres(count) * self.side - 0.5, first, first + self.side * count - 1))

    def _centres(self, count: int) -> Tensor:
        return torch.arange(count, device=self.side.device, dtype=self.side.dtype) + 0.5


def _hats(places: Tensor) -> Tensor:
    """Weights of the values at 0, 1, ..., N-1 for N fractional places (B,N); none for those a whole place outside."""
    grid = torch.arange(places.shape[1], device=places.device, dtype=places.dtype)
    return (1 - (places[:, None, :, None] - grid).abs()).clamp_min_(0)


@dataclass(frozen=True, eq=False)
class Frame:
    """Where the pictures of a batch lie on their canvases.

    Resizing is the same in every column and in every row, so it is two matrix products; their gradient is the same on
    every run, which that of a scattered sampling on a GPU is not.
    """

    rows: Span
    columns: Span

    def shrink(self, picture: Tensor) -> Tensor:
        """The pictures (B,C,H,W) at their places, 0 around them; inputs of other kinds as they are."""
        if picture.ndim != 4:
            return picture
        return self.rows.shrinking(picture.shape[2]) @ picture @ self.columns.shrinking(picture.shape[3]).mT

    def restore(self, outputs: Any) -> Any:
        """What maps (B,C,h,w) show of the pictures, at full size; outputs of other kinds as they are."""
        if not isinstance(outputs, Tensor) or outputs.ndim != 4:
            return outputs
        rows, columns = self.rows.restoring(outputs.shape[2]), self.columns.restoring(outputs.shape[3])
        return rows.to(outputs) @ outputs @ columns.to(outputs).mT
