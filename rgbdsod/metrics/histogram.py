"""The one histogram from which every saliency measure but the weighted F-measure follows.

Pixels are counted by (part of the image, foreground or not, level of the map): 4 x 2 x 256 integers an image. Counts
are exact, so measures do not depend on the batch, the order, the device or the number of threads.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rgbdsod.metrics.arrays import IntArray
from rgbdsod.metrics.inputs import Maps, Pair, pairs
from rgbdsod.metrics.masks import Mask, MaskCache, prepare

BINS = 2048


def counts(preds: Maps, masks: Maps, *, cache: MaskCache | None = None) -> IntArray:
    """Count each image's pixels by part, foreground and level, before any stretching.

    Args:
        preds: saliency maps, uint8: one (H, W), a batch (N, H, W) or (N, 1, H, W), or a list of any sizes; arrays or
            tensors on any device.
        masks: their masks in the same form; above 128 is foreground.
        cache: keeps what depends on a mask alone between calls.

    Returns:
        int64 (N, 2048); bin `512 * part + 256 * foreground + level`. Kept, they give every measure later.

    Raises:
        UsageError: if maps and masks are not uint8 or do not fit together.

    Example:
        >>> import numpy as np
        >>> from rgbdsod.metrics import counts
        >>> int(counts(np.zeros((4, 6), np.uint8), np.full((4, 6), 255, np.uint8)).sum())
        24
    """
    matched = pairs(preds, masks)
    return count(matched, [prepare(mask, cache) for _, mask in matched])


def count(matched: Sequence[Pair], prepared: Sequence[Mask]) -> IntArray:
    """The counts (N, 2048) of checked pairs and their prepared masks."""
    indices = [mask.region + pred for (pred, _), mask in zip(matched, prepared, strict=True)]
    on_cpu = all(index.device.type == "cpu" for index in indices)
    result: IntArray = (_image_by_image(indices) if on_cpu else _at_once(indices)).cpu().numpy()
    return result


def _image_by_image(indices: Sequence[Tensor]) -> Tensor:
    """Small pieces stay in a CPU's cache, and 16 bits suffice for an index."""
    return torch.stack([torch.bincount(index.flatten(), minlength=BINS) for index in indices])


def _at_once(indices: Sequence[Tensor]) -> Tensor:
    """One launch and one synchronisation for the batch on an accelerator; images may differ in size."""
    device = indices[0].device
    flat = [index.flatten().to(device, torch.int32) + BINS * number for number, index in enumerate(indices)]
    return torch.bincount(torch.cat(flat), minlength=BINS * len(indices)).view(len(indices), BINS)
