"""Filters of single channels, in portions that stay in a processor's cache."""

from collections.abc import Callable

import torch
from torch import Tensor

_PORTION = 2**16  # values: with the copies that a filter makes of them, about a second-level cache


def by_plane(image: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of single channels (N,1,H,W), applied to all channels of a batch.

    An accelerator gets them all at once, and so does differentiation. A processor gets as many as fit into its cache:
    filters of many passes would otherwise wait for memory.
    """
    planes = image.flatten(0, 1)[:, None]
    if image.is_cuda or (image.requires_grad and torch.is_grad_enabled()):
        return function(planes).view_as(image)
    portions = planes.split(max(1, _PORTION // planes[0].numel()))
    return torch.cat([function(portion) for portion in portions]).view_as(image)
