"""Control patches: what lies at the same place, of the same shape and size, and was not made to harm this picture.

Source: own; Brown et al., arXiv 1712.09665, compare with a real object at the patch's place.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.controls import control_patches
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.randomness import stream

_UPRIGHT = 0.5  # half of the range: where a search for a plane begins


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Another picture of the set.

    Args:
        rgb: (3,H,W) in [0, 1].
        patch: the one that was made for it; None: there is none.
    """

    rgb: Tensor
    patch: Patch | None = None


def controls_of(patch: Patch, elsewhere: Elsewhere, seed: int, sample_id: str) -> dict[str, Patch]:
    """Controls by name, with the place and the tilt of a patch.

    The nearness of a card is part of what a search finds, so controls do not have it: theirs hang at half the range, or
    just in front of what they hide; noise hangs anywhere.

    Args:
        patch: beside which they are measured.
        elsewhere: another picture.
        seed: of the run.
        sample_id: of the picture that the patch lies on.
    """
    draw = stream(seed, "patch control", sample_id)
    near, own = float(torch.rand((), generator=draw)), int(torch.randint(2**31, (), generator=draw))
    size = (patch.alpha.shape[-2], patch.alpha.shape[-1])
    other = None if elsewhere.patch is None else _borrowed(patch, elsewhere.patch, size)
    made = control_patches(patch, crop=_window(elsewhere.rgb, size, draw), other=other, seed=own)

    def hung(name: str, one: Patch) -> Patch:
        if one.plane is None or name == "other":
            return one
        return replace(one, plane=(near if name == "noise" else _UPRIGHT, *one.plane[1:]))

    return {name: hung(name, one) for name, one in made.items()}


def _window(picture: Tensor, size: tuple[int, int], draw: torch.Generator) -> Tensor:
    """A piece of a picture, of a size or as large as there is."""
    sides = [min(wanted, there) for wanted, there in zip(size, picture.shape[-2:], strict=True)]
    top, left = (
        int(torch.randint(there - side + 1, (), generator=draw))
        for side, there in zip(sides, picture.shape[-2:], strict=True)
    )
    return picture[:, top : top + sides[0], left : left + sides[1]].cpu()


def _borrowed(patch: Patch, other: Patch, size: tuple[int, int]) -> Patch:
    """Another patch in this one's shape and tilt."""

    def fitted(part: Tensor | None) -> Tensor | None:
        if part is None or tuple(part.shape[-2:]) == size:
            return part
        return interpolate(part[None], size, mode="bilinear", antialias=True, align_corners=False)[0].clamp(-1, 1)

    plane = patch.plane
    if plane is not None and other.plane is not None:
        plane = (other.plane[0], *plane[1:])
    return replace(patch, content=fitted(other.content), relief=fitted(other.relief), plane=plane)
