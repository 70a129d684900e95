"""Where one patch lies on the images of a batch, in each box or once on each image, and what they look like then."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from rgbdsod.attacks import Patch, PatchResult, Problem, apply_patch
from rgbdsod.attacks.core import perturb
from rgbdsod.attacks.patch.layout import Known, Layout, pose_of
from rgbdsod.attacks.patch.placement import Placement
from rgbdsod.attacks.patch.pose import homographies
from rgbdsod.attacks.patch.shapes import parse_share, window
from rgbdsod.run.patch.laying import shape_of
from rgbdsod.types import Inputs


class Wanted(Protocol):
    """What decides where a patch lies: settings of any run that lays one."""

    @property
    def size(self) -> str:
        """What it covers of an image, or its side as a share of a box's."""
        ...

    @property
    def shape(self) -> str:
        """Its outline."""
        ...

    @property
    def where(self) -> str:
        """The policy."""
        ...

    @property
    def at(self) -> str:
        """The centre, of policy "fixed"."""
        ...


def places_on(
    patch: Patch, ids: Sequence[str], image: tuple[int, int], known: Known, wanted: Wanted, seed: int
) -> list[Tensor]:
    """The places of a patch on each image, (n,3,3) float64: homographies; n is 0 where there is no place.

    Args:
        patch: what is laid.
        ids: of the images, on which places depend.
        image: (H, W).
        known: where objects are.
        wanted: policy and size.
        seed: of the places.
    """
    span = window(wanted.size, shape_of(patch, wanted.shape), image)
    layout = Layout(Placement(wanted.where, wanted.at), patch.alpha, span, image, seed, parse_share(wanted.size))
    canvas = (patch.alpha.shape[-2], patch.alpha.shape[-1])
    found = []
    for spots in layout.spots(ids, known):
        poses = pose_of(torch.tensor(spots, dtype=torch.float64).view(-1, 5))
        found.append(homographies(poses, canvas, image))
    return found


@torch.no_grad()
def laid_at(image: Tensor, patch: Patch, places: Tensor) -> tuple[Tensor, Tensor]:
    """An image (1,3,H,W) under a patch at its places, as a file of 8 bit has it; and the pixels under it, bool.

    Args:
        image: in [0, 1], on the grid of 8 bit; what is beside the patch keeps its bits.
        patch: what is laid.
        places: (n,3,3).
    """
    inputs: Inputs = {"image": image}
    cover = torch.zeros_like(image[:, :1], dtype=torch.bool)
    for place in places.to(image.device):
        placed = apply_patch(inputs, patch, place[None])
        inputs, cover = placed.inputs, cover | placed.mask
    return torch.where(inputs["image"] == image, image, (inputs["image"] * 255).round() / 255), cover


def laid_result(
    problem: Problem, inputs: Mapping[str, Tensor], patch: Patch, places: Sequence[Tensor], ids: Sequence[str]
) -> PatchResult:
    """Images under a patch that is there already, in the form in which an attack hands its own back.

    Args:
        problem: of the victim, which says what the objective is under the patch.
        inputs: the clean images, "image" (B,3,H,W).
        patch: what is laid.
        places: of each image.
        ids: of the images.
    """
    pairs = [laid_at(inputs["image"][row : row + 1], patch, own) for row, own in enumerate(places)]
    patched = {**inputs, "image": torch.cat([pair[0] for pair in pairs])}
    seen = perturb(problem, patched, {}, steps=0, attack="patch", sample_ids=list(ids))
    nowhere = torch.zeros(3, 3, dtype=torch.float64)
    return PatchResult(
        **{**vars(seen), "inputs": patched},
        mask=torch.cat([pair[1] for pair in pairs]),
        places=torch.stack([own[0] if len(own) else nowhere for own in places]),
        placed=torch.tensor([len(own) > 0 for own in places]),
        patches=[patch.about(place=own[0].tolist(), places=own.tolist()) if len(own) else None for own in places],
        stretch=torch.zeros(len(places)),
    )
