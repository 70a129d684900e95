"""Batches in portions that stay in a processor's cache; an accelerator gets them whole."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_PORTION = 2**17  # values: with the copies that a filter makes of them, about a second-level cache


def portions(images: Tensor, copies: int = 1) -> list[Tensor]:
    """A batch as batches that are worked off one after the other.

    Work of many passes over memory would otherwise wait for it. An accelerator gets the batch whole, and so does
    differentiation.

    Args:
        images: (N,C,H,W).
        copies: how many times the size of its images the work holds at once.
    """
    return [images[rows] for rows in spans(images, copies)]


def spans(images: Tensor, copies: int = 1) -> list[slice]:
    """The rows of each of these batches; see `portions`."""
    if images.is_cuda or (images.requires_grad and torch.is_grad_enabled()):
        return [slice(None)]
    count = max(1, _PORTION // (images[0].numel() * copies))
    return [slice(start, start + count) for start in range(0, len(images), count)]


def by_plane(image: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of single channels (N,1,H,W), applied to all channels of a batch in portions."""
    planes = image.flatten(0, 1)[:, None]
    return joined([function(portion) for portion in portions(planes, 2)]).view_as(image)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """The batch of several batches; of one, itself."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
