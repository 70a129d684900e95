"""C4: windows of one modality that act on the rest of the map."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model, Staged
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossInfluence(CrossDefence):
    """How much the map changes elsewhere when a window of one modality is replaced by what surrounds it.

    What makes a patch off the object a patch is that it acts at a distance. A window that does so in RGB alone accuses
    RGB, one in depth alone accuses depth. A strong patch lifts every window that touches it, so a pixel must also reach
    a share of its image's largest value. One pass of the model, and two for each of grid x grid windows, each with the
    other modality's features kept.

    Args:
        on: not used.
        model: whose map is watched.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by modality; `calibrate` sets it.
        grid: windows each way, 2 or more; neighbours overlap by half.
        peak: share of the largest value that a masked pixel reaches, 0 to 1.

    Raises:
        UsageError: a grid or share outside, or a grid finer than the image.
    """

    grid: int = 7
    peak: float = 0.5

    name: ClassVar[str] = "cross-influence"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grid < 2:
            raise UsageError(f"grid={self.grid}; pass 2 windows or more each way")
        if not 0 <= self.peak <= 1:
            raise UsageError(f"peak={self.peak}; pass a share of the largest influence, 0 to 1")

    def suspected(self, excess: Tensor) -> Tensor:
        """Above the threshold, and near the image's largest value."""
        influence = excess + 1
        return (excess > 0) & (influence >= self.peak * influence.amax((2, 3), keepdim=True))

    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """The influence of the windows that cover a pixel, averaged."""
        height, width = inputs["rgb"].shape[-2:]
        check_window(self.name, self.grid + 1, inputs["rgb"], "pass a smaller grid")
        staged = Staged(model, (height, width))
        features = {name: staged.encode(name, inputs[name]) for name in MODALITIES}
        before = staged.map(features)
        windows = list(_windows(height, width, self.grid))
        count = before.new_zeros(1, 1, height, width)
        for window in windows:
            count[(..., *window)] += 1
        found = {}
        for name in MODALITIES:
            total = torch.zeros_like(before)
            for window in windows:
                after = staged.map({**features, name: staged.encode(name, _without(inputs[name], window))})
                total = total + _spread(_elsewhere((after - before).abs(), window), window, (height, width))
            found[name] = total / count
        return found


def _windows(height: int, width: int, grid: int) -> Iterator[Window]:
    """Half-overlapping windows that cover the image."""
    rows, columns = ([round(side * at / (grid + 1)) for at in range(grid + 2)] for side in (height, width))
    for y in range(grid):
        for x in range(grid):
            yield slice(rows[y], rows[y + 2]), slice(columns[x], columns[x + 2])


def _without(image: Tensor, window: Window) -> Tensor:
    """The image with the window replaced by the mean of a frame of half its width around it."""
    rows, columns = window
    down, across = (rows.stop - rows.start) // 2 or 1, (columns.stop - columns.start) // 2 or 1
    wide = (
        slice(max(rows.start - down, 0), rows.stop + down),
        slice(max(columns.start - across, 0), columns.stop + across),
    )
    outer, inner = image[(..., *wide)], image[(..., *window)]
    pixels = outer[0, 0].numel() - inner[0, 0].numel()
    frame = (outer.sum((2, 3), keepdim=True) - inner.sum((2, 3), keepdim=True)) / max(pixels, 1)
    other = image.clone()
    other[(..., *window)] = frame
    return other


def _elsewhere(change: Tensor, window: Window) -> Tensor:
    """The mean change outside the window, (B,1,1,1)."""
    outside = torch.ones_like(change[:1])
    outside[(..., *window)] = 0
    return (change * outside).sum((2, 3), keepdim=True) / outside.sum()


def _spread(value: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """The value in the window, 0 elsewhere."""
    rows, columns = window
    pad = (columns.start, size[1] - columns.stop, rows.start, size[0] - rows.stop)
    inside = value.expand(-1, -1, rows.stop - rows.start, columns.stop - columns.start)
    return torch.nn.functional.pad(inside, pad)
