"""Samples of one size as tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.datasets.sample import Sample
from rgbdsod.errors import DataError


def collate(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """A batch of samples.

    Args:
        samples: one or more, all of one size (H, W).

    Returns:
        "rgb": (B,3,H,W), "depth": (B,1,H,W) and "mask": (B,1,H,W), float32 in [0, 1]; "valid": (B,1,H,W) bool.
        Without "mask" if the samples have none.

    Raises:
        DataError: sizes differ, or some samples have a mask and some have none.
    """
    first = samples[0]
    for other in samples:
        if other.size != first.size:
            one, two = (f"{sample.size[1]}x{sample.size[0]}" for sample in (first, other))
            raise DataError(
                f"id {first.id} is {one} but {other.id} is {two}; images of different sizes need --batch 1, or a resize"
            )
        if (other.mask is None) != (first.mask is None):
            without = other if other.mask is None else first
            raise DataError(f"id {without.id} has no mask but others of its batch have one")
    batch = {
        "rgb": _stack(samples, lambda sample: sample.rgb).permute(0, 3, 1, 2).contiguous().float().div_(255),
        "depth": _stack(samples, lambda sample: sample.depth)[:, None],
        "valid": _stack(samples, lambda sample: sample.valid)[:, None],
    }
    if first.mask is not None:
        batch["mask"] = _stack(samples, lambda sample: sample.mask)[:, None].float().div_(255)
    return batch


def _stack(samples: Sequence[Sample], field: Callable[[Sample], NDArray[Any] | None]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(field(sample)) for sample in samples]))
