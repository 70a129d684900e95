"""What a patch attack hands back."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.result import Result


@dataclass(frozen=True, eq=False)
class PatchResult(Result):
    """Patched pictures, and the patches on them.

    Loss, start_loss and trace are the objective under the attack's own fixed draws of the transformations; `inputs` are
    the pictures with the patch as it is. A sample without a place comes back clean, as a failure, with a loss of NaN.

    Args:
        mask: the pixels that the patch covers at least to one half, bool (B,1,H,W).
        places: homographies (B,3,3) from the patch's pixels to the picture's; 0 where there is no place.
        placed: whether a place was found, bool (B,).
        patches: one for each sample; None where there is no place.
        stretch: how far a loader that stretches each depth map to its own minimum and maximum would move what lies
            outside the patch, (B,); 0 where depth is not attacked.
    """

    mask: Tensor = field(default_factory=lambda: torch.empty(0))
    places: Tensor = field(default_factory=lambda: torch.empty(0))
    placed: Tensor = field(default_factory=lambda: torch.empty(0))
    patches: list[Patch | None] = field(default_factory=list)
    stretch: Tensor = field(default_factory=lambda: torch.empty(0))


@torch.no_grad()
def stretched(clean: Tensor, patched: Tensor, mask: Tensor) -> Tensor:
    """The largest difference (B,) outside a patch between two ways to load a patched depth map.

    One keeps the clean map's minimum and maximum, as the attack did; the other stretches the patched map by its own.

    Args:
        clean: (B,1,H,W).
        patched: (B,1,H,W).
        mask: where the patch is, bool.
    """

    def by(values: Tensor, ends: Tensor) -> Tensor:
        low, high = ends.flatten(1).amin(1).view(-1, 1, 1, 1), ends.flatten(1).amax(1).view(-1, 1, 1, 1)
        return (values - low) / (high - low).clamp_min(1e-6)

    difference = (by(patched, patched) - by(patched, clean)).abs()
    return difference.masked_fill(mask, 0.0).flatten(1).amax(1)
