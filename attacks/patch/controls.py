"""Patches that were not optimised: what of an attack's effect is a patch being there at all."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.randomness import stream
from rgbdsod.errors import UsageError

CONTROLS = ("grey", "noise", "crop", "other", "shuffled")

PIXELS = ("crop", "shuffled")
"""Controls that are made of pixels; a card in depth alone has none."""


def control_patches(
    patch: Patch, *, crop: Tensor | None = None, other: Patch | None = None, seed: int = 0
) -> Mapping[str, Patch]:
    """Controls of a patch: of the same shape and depth mode, on the same plane.

    An attack's effect is its drop less the largest of the controls' drops.

    Args:
        patch: the patch that was found.
        crop: part of a photograph (3,h,w) in [0, 1], for a benign sticker; None: no such control.
        other: the patch of another picture or model; None: no such control.
        seed: of noise and shuffling.

    Returns:
        "grey", "noise" and "shuffled" (the patch's own pixels in another order), and "crop" and "other" where given.
        A card in depth alone has no pixels, so neither "crop" nor "shuffled".

    Raises:
        UsageError: another patch of another modality; a crop that is no picture.
    """
    size = (patch.alpha.shape[-2], patch.alpha.shape[-1])
    found = {"grey": _like(patch, torch.full((4, *size), 0.5))}
    found["noise"] = _like(patch, torch.rand(4, *size, generator=stream(seed, "patch", "noise")))
    if crop is not None:
        if crop.ndim != 3 or crop.shape[0] != 3:
            raise UsageError(f"a crop of shape {tuple(crop.shape)}; pass a picture (3,h,w) in [0, 1]")
        whole = interpolate(crop[None].float(), size, mode="area")[0]
        found["crop"] = _like(patch, torch.cat([whole, whole.mean(0, keepdim=True)]))
    if other is not None:
        if other.modality != patch.modality:
            raise UsageError(f"the other patch changes {other.modality}, this one {patch.modality}; pass one alike")
        found["other"] = other
    order = _order(patch.alpha, seed)
    content, relief = (
        None if part is None else part.flatten(1)[:, order].view_as(part) for part in (patch.content, patch.relief)
    )
    found["shuffled"] = replace(patch, content=content, relief=relief)
    none = () if patch.content is not None or patch.relief is not None else PIXELS
    return {name: found[name].about(control=name) for name in CONTROLS if name in found and name not in none}


def _like(patch: Patch, values: Tensor) -> Patch:
    """The patch with other colours and another relief, from values (4,h,w) in [0, 1]."""
    content = None if patch.content is None else values[:3]
    relief = None if patch.relief is None else values[3:]
    if relief is not None and patch.relief is not None and patch.depth_mode == "relief":
        relief = (2 * relief - 1) * patch.relief.abs().max()
    return replace(patch, content=content, relief=relief)


def _order(alpha: Tensor, seed: int) -> Tensor:
    """A permutation of the canvas's pixels that keeps those inside the shape inside."""
    inside = (alpha.flatten() >= 0.5).nonzero().flatten()
    order = torch.arange(alpha.numel())
    order[inside] = inside[torch.randperm(len(inside), generator=stream(seed, "patch", "shuffle"))]
    return order
