"""C4: windows of one modality that act on the rest of the map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model, Staged
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Window = tuple[slice, slice]

STEERED = 4
"""Windows of an image that have a gradient."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossInfluence(CrossDefence):
    """How much the map changes elsewhere when a window of one modality is replaced by what surrounds it.

    What makes a patch off the object a patch is that it acts at a distance. A window that does so in RGB alone accuses
    RGB, one in depth alone accuses depth. A strong patch lifts every window that touches it, so a pixel must also reach
    a share of its image's largest value. One pass of the model, and two for each of grid x grid windows, each with the
    other modality's features kept. Its gradient is that of the four windows of each image that act most.

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
        windows = windows_of(height, width, self.grid)
        count = before.new_zeros(1, 1, height, width)
        for window in windows:
            count[(..., *window)] += 1
        found = {}
        for name in MODALITIES:

            def after(image: Tensor, name: str = name) -> Tensor:
                return staged.map({**features, name: staged.encode(name, image)})

            with torch.no_grad():
                acts = torch.stack([acted(after, before, inputs[name], [at] * len(before)) for at in windows])
            total = torch.zeros_like(before)
            for window, value in zip(windows, acts, strict=True):
                total = total + _spread(value, window, (height, width))
            found[name] = total / count
            if torch.is_grad_enabled() and before.requires_grad:
                found[name] = found[name] + _slope(after, before, inputs[name], acts, windows) / count
        return found


def acted(after: Callable[[Tensor], Tensor], before: Tensor, image: Tensor, chosen: Sequence[Window]) -> Tensor:
    """How much the map changes elsewhere without a window of each image, (B,1,1,1).

    Args:
        after: the map of one modality's images.
        before: the map of these images.
        image: the modality, (B,C,H,W).
        chosen: a window for each image.
    """
    if all(window == chosen[0] for window in chosen):
        return _elsewhere((after(_without(image, chosen[0])) - before).abs(), chosen[0])
    other = torch.cat([_without(image[[row]], window) for row, window in enumerate(chosen)])
    change = (after(other) - before).abs()
    return torch.cat([_elsewhere(change[[row]], window) for row, window in enumerate(chosen)])


def _slope(
    after: Callable[[Tensor], Tensor], before: Tensor, image: Tensor, acts: Tensor, windows: Sequence[Window]
) -> Tensor:
    """0 with the gradient of each image's windows that act most: all of them would keep the graph of every pass."""
    total = torch.zeros_like(before)
    for order in acts.flatten(1).topk(min(STEERED, len(windows)), 0).indices:
        chosen = [windows[at] for at in order.tolist()]
        value = acted(after, before, image, chosen)
        parts = [_spread(value[[row]], at, before.shape[-2:]) for row, at in enumerate(chosen)]
        total = total + torch.cat(parts)
    return total - total.detach()


def windows_of(height: int, width: int, grid: int) -> list[Window]:
    """Half-overlapping windows that cover an image, grid x grid."""
    rows, columns = ([round(side * at / (grid + 1)) for at in range(grid + 2)] for side in (height, width))
    return [(slice(rows[y], rows[y + 2]), slice(columns[x], columns[x + 2])) for y in range(grid) for x in range(grid)]


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


def _spread(value: Tensor, window: Window, size: Sequence[int]) -> Tensor:
    """The value in the window, 0 elsewhere."""
    rows, columns = window
    pad = (columns.start, size[1] - columns.stop, rows.start, size[0] - rows.stop)
    inside = value.expand(-1, -1, rows.stop - rows.start, columns.stop - columns.start)
    return torch.nn.functional.pad(inside, pad)
