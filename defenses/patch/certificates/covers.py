"""Sets of masks for certificates, whose covering condition is counted over all places of a patch, not trusted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from rgbdsod.errors import UsageError

Aim = Literal["detection", "recovery"]
Layout = Literal["columns", "grid"]
Pair = tuple[int, int]

_COPIES: dict[tuple[str, str], Pair] = {
    ("detection", "columns"): (1, 16),
    ("detection", "grid"): (4, 4),
    ("recovery", "columns"): (1, 5),
    ("recovery", "grid"): (3, 3),
}


@dataclass(frozen=True, eq=False)
class Cover:
    """Masks under which every patch of a size is hidden often enough.

    For detection, every place of the patch is wholly hidden in one copy at least; for recovery, it is visible in so few
    copies that the others are the majority, K >= 2T + 1.

    Args:
        aim: "detection" or "recovery".
        patch: (height, width) in pixels; smaller patches, of any outline, lie inside such a box.
        hidden: which pixels each of the K copies hides, bool (K,H,W).

    Raises:
        UsageError: a patch that is larger than the image, or at some place not hidden often enough.

    Example:
        >>> cover((32, 32), (4, 4), "recovery", "columns").visible
        2
    """

    aim: Aim
    patch: Pair
    hidden: Tensor

    def __post_init__(self) -> None:
        touched = touching(self.hidden, self.patch)
        copies, shown = len(self.hidden), int(touched.sum(0).max())
        if self.aim == "recovery" and copies < 2 * shown + 1:
            raise UsageError(
                f"a patch of {_text(self.patch)} is visible in {shown} of {copies} copies; recovery needs that "
                f"{2 * shown + 1} copies or more are shown; take more copies or larger blocks"
            )
        if self.aim == "detection" and bool(touched.all(0).any()):
            raise UsageError(
                f"a patch of {_text(self.patch)} is somewhere visible in all {copies} copies; detection needs one that "
                "hides it; take wider masks"
            )

    @cached_property
    def visible(self) -> int:
        """T: in how many copies some pixel of a patch is visible, at the worst place."""
        return int(touching(self.hidden, self.patch).sum(0).max())

    @property
    def size(self) -> Pair:
        """(H, W) of the images."""
        return self.hidden.shape[1], self.hidden.shape[2]


def touching(hidden: Tensor, patch: Pair) -> Tensor:
    """Whether some pixel of a patch is visible, for each copy and each place: bool (K,H-h+1,W-w+1).

    Args:
        hidden: bool (K,H,W).
        patch: (h, w) in pixels.

    Raises:
        UsageError: the patch is larger than the image.
    """
    height, width = hidden.shape[1:]
    if not (1 <= patch[0] <= height and 1 <= patch[1] <= width):
        raise UsageError(f"a patch of {_text(patch)} on images of {height}x{width}; it must fit into them")
    below = max_pool2d((~hidden).float()[:, None], (patch[0], 1), 1)
    return max_pool2d(below, (1, patch[1]), 1)[:, 0] > 0


def cover(
    size: Pair,
    patch: Pair,
    aim: Aim = "recovery",
    layout: Layout = "columns",
    *,
    copies: Pair | None = None,
    block: Pair | None = None,
) -> Cover:
    """Masks by columns, or by a grid of rows and columns.

    For detection each copy hides one band or rectangle, and neighbours overlap by one pixel less than the patch. For
    recovery the image is cut into blocks, each of which is visible in one copy alone; neighbours are in different ones.

    Args:
        size: (H, W) of the images.
        patch: (height, width) in pixels of the largest patch.
        aim: "detection" or "recovery".
        layout: "columns" or "grid".
        copies: how many there are along height and width; None: 1x16 and 4x4 for detection, 1x5 and 3x3 for recovery.
        block: for recovery, (height, width) of a block; None: the patch's. Columns have the image's height.

    Raises:
        UsageError: an unknown aim or layout, sizes that do not fit, or copies that hide a patch too rarely.

    Source: Yatsura et al., "Certified Defences Against Adversarial Patch Attacks on Semantic Segmentation", arXiv
    2209.05980, section 3.
    """
    if (aim, layout) not in _COPIES:
        raise UsageError(f'no cover "{aim}", "{layout}"; aims are detection, recovery, layouts are columns, grid')
    if layout == "columns":
        copies = (1, _COPIES[aim, layout][1]) if copies is None else (1, copies[1])
    rows, columns = copies or _COPIES[aim, layout]
    if min(rows, columns, *(block or patch)) < 1:
        raise UsageError("copies and blocks of a cover are counted from 1; pass larger ones")
    if not (1 <= patch[0] <= size[0] and 1 <= patch[1] <= size[1]):
        raise UsageError(f"a patch of {_text(patch)} on images of {_text(size)}; it must fit into them")
    if aim == "detection":
        axes = (_bands(size[0], patch[0], rows), _bands(size[1], patch[1], columns))
        return Cover(aim, patch, _products(*axes, torch.logical_and))
    height, width = block or patch
    axes = (_blocks(size[0], height, rows), _blocks(size[1], width, columns))
    return Cover(aim, patch, ~_products(*axes, torch.logical_and))


def _bands(length: int, patch: int, count: int) -> Tensor:
    """Along one axis what each copy hides, bool (K,length): one band that holds all places that begin in its step."""
    step = -(-(length - patch + 1) // count)
    start = torch.arange(0, length - patch + 1, step)[:, None]
    at = torch.arange(length)
    return (start <= at) & (at < start + step + patch - 1)


def _blocks(length: int, block: int, count: int) -> Tensor:
    """Along one axis what each copy shows, bool (K,length): every K-th block.

    Raises:
        UsageError: a copy would show nothing.
    """
    if count > 1 and block * (count - 1) >= length:
        raise UsageError(
            f"{count} copies of blocks of {block} pixels need more than {length} pixels; pass copies= or block= below"
        )
    if count == 1:
        return torch.ones(1, length, dtype=torch.bool)
    return torch.arange(length) // block % count == torch.arange(count)[:, None]


def _products(rows: Tensor, columns: Tensor, both: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Every row of one with every row of the other, (K1 K2,H,W)."""
    return both(rows[:, None, :, None], columns[None, :, None, :]).flatten(0, 1)


def _text(size: Pair) -> str:
    return f"{size[0]}x{size[1]}"
