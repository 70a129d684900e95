"""How well a mask of a patch was found: intersection over union, pooled and per image."""

from typing import NamedTuple

import torch
from torch import Tensor

from rgbdsod.errors import UsageError


class Localisation(NamedTuple):
    """Overlap of found and true patch masks.

    Attributes:
        pooled: pixels of all images counted together (SmIoU).
        mean: mean of the images' own values (NmIoU).
        per_image: (B,); 1 where there is no patch and none was found.
    """

    pooled: float
    mean: float
    per_image: Tensor


def localisation(found: Tensor, masks: Tensor) -> Localisation:
    """Intersection over union of found and true patch masks.

    Args:
        found: bool (B,1,H,W), or values in [0, 1] cut at 0.5.
        masks: the same of the truth.

    Raises:
        UsageError: of different shapes.

    Source:
        Zheng et al., Revisiting Adversarial Patch Defenses on Object Detectors, 2508.00649 (the two means).
    """
    if found.shape != masks.shape or found.ndim != 4:
        raise UsageError(f"found masks {tuple(found.shape)} and true ones {tuple(masks.shape)}; pass (B,1,H,W) of both")
    one, two = (mask.detach().float().flatten(1) >= 0.5 for mask in (found, masks))
    both, either = (one & two).sum(1).double(), (one | two).sum(1).double()
    per_image = torch.where(either > 0, both / either.clamp_min(1), 1.0)
    pooled = float(both.sum() / either.sum()) if float(either.sum()) else 1.0
    return Localisation(pooled, float(per_image.mean()), per_image)
