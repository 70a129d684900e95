"""The median of a window, for all pixels at once."""

from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor


def window_median(planes: Tensor, window: int) -> Tensor:
    """The median of the window around each value, (B,C,H,W); the border is mirrored.

    Comparing whole shifted images keeps everything in long vectors; the gradient is that of the chosen pixel.

    Args:
        planes: (B,C,H,W), both sides longer than half a window.
        window: side in pixels, odd.
    """
    radius, (height, width) = window // 2, planes.shape[-2:]
    padded = F.pad(planes, (radius,) * 4, mode="reflect")
    with torch.no_grad():
        cells = [padded[..., y : y + height, x : x + width] for y in range(window) for x in range(window)]
        for low, high in _comparisons(len(cells)):
            cells[low], cells[high] = torch.minimum(cells[low], cells[high]), torch.maximum(cells[low], cells[high])
        found = cells[len(cells) // 2]
    return _chosen(padded, found, window) if padded.requires_grad and torch.is_grad_enabled() else found


def _chosen(padded: Tensor, values: Tensor, window: int) -> Tensor:
    """The values again, as the pixels that they were taken from."""
    height, width = values.shape[-2:]
    with torch.no_grad():
        cells = padded.unfold(-2, window, 1).unfold(-2, window, 1).flatten(-2)
        cell = (cells == values[..., None]).byte().argmax(-1)
        row = torch.arange(height, device=values.device)[:, None] + cell // window
        column = torch.arange(width, device=values.device) + cell % window
        at = (row * padded.shape[-1] + column).flatten(2)
    return padded.flatten(2).gather(2, at).view_as(values)


@cache
def _comparisons(count: int) -> tuple[tuple[int, int], ...]:
    """Comparisons that bring the median of so many values to the middle: those of a sorting network that lead there."""
    needed, kept = {count // 2}, []
    for low, high in reversed(list(_sorting_network(count))):
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def _sorting_network(count: int) -> Iterator[tuple[int, int]]:
    """Batcher's merge exchange, for any number of values.

    Source: Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M.
    """
    top = 1 << max((count - 1).bit_length() - 1, 0)
    span = top
    while span:
        other, remainder, distance = top, 0, span
        while True:
            for low in range(count - distance):
                if low & span == remainder:
                    yield low, low + distance
            if other == span:
                break
            distance, other, remainder = other - span, other >> 1, span
        span >>= 1
