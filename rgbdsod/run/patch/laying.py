"""Patches on pictures: where a saved one goes, and what it makes of the inputs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.attacks.patch.compose import Surface
from rgbdsod.attacks.patch.hanging import hang_at, hang_patch, hung_as
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.layout import Known, Layout, Spot, pose_of
from rgbdsod.attacks.patch.patch import Patch, apply_patch
from rgbdsod.attacks.patch.placement import Placement
from rgbdsod.attacks.patch.pose import homographies
from rgbdsod.attacks.patch.scene import Setting
from rgbdsod.attacks.patch.shapes import parse_share, window
from rgbdsod.attacks.patch.stencil import is_file
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.run.patch.settings import PatchSettings


@dataclass(frozen=True, eq=False)
class Laid:
    """A patch at its place on one picture.

    Args:
        patch: what lies there.
        place: homography (3,3), float64, from the patch's pixels to the picture's.
        facts: columns of the table of images: what the search took.
    """

    patch: Patch
    place: Tensor
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, patch: Patch, facts: Mapping[str, Any] | None = None) -> "Laid":
        """A patch where its own facts say that it was found."""
        return cls(patch, torch.tensor(patch.facts["place"], dtype=torch.float64), facts or {})

    def on(self, inputs: Mapping[str, Tensor], kind: DepthKind) -> tuple[dict[str, Tensor], NDArray[np.bool_]]:
        """The patched inputs (1,C,H,W) of the picture, and the pixels under the patch, bool (H,W).

        Args:
            inputs: of the picture, (1,C,H,W).
            kind: what depth means.
        """
        placed = apply_patch(inputs, self.patch, self.place[None].to(next(iter(inputs.values())).device), kind=kind)
        return placed.inputs, placed.mask[0, 0].cpu().numpy()

    def drawn(
        self, inputs: Mapping[str, Tensor], cover: NDArray[np.bool_], chosen: PatchSettings, sample_id: str
    ) -> tuple[dict[str, Tensor], NDArray[np.bool_]]:
        """The same under one draw of the patch's transformations, which no search has seen.

        Args:
            inputs: of the picture, (1,C,H,W).
            cover: the pixels under the patch as it is, bool (H,W).
            chosen: settings of the run.
            sample_id: of the picture, on which the draw depends.
        """
        image = (cover.shape[0], cover.shape[1])
        if "turn" in self.patch.facts:
            return self._drawn_turned(inputs, image, chosen, sample_id)
        height, width = self.patch.alpha.shape[-2:]
        centre = self.place @ torch.tensor([(width - 1) / 2, (height - 1) / 2, 1.0], dtype=torch.float64)
        x, y = (centre[:2] / centre[2] + 0.5).tolist()
        shape = shape_of(self.patch, chosen.shape)
        rows, columns = window(chosen.size, shape, image) if chosen.where != "box" else _sides(cover)
        hung = hang_patch(
            inputs, self.patch, patch_size=rows * columns / cover.size, where="fixed",
            at=f"{x / image[1]},{y / image[0]}", depth_kind=chosen.depth_kind, transforms=chosen.transforms,
            seed=chosen.seed, sample_ids=[sample_id],
        )  # fmt: skip
        return hung.inputs, hung.mask[0, 0].cpu().numpy()

    def _drawn_turned(
        self, inputs: Mapping[str, Tensor], image: tuple[int, int], chosen: PatchSettings, sample_id: str
    ) -> tuple[dict[str, Tensor], NDArray[np.bool_]]:
        """The same for a patch whose place was sought with it."""
        span = window(chosen.size, shape_of(self.patch, chosen.shape), image)
        surface = Surface(self.patch.depth_mode, chosen.kind)
        setting = Setting(self.patch.alpha, span, surface, TRANSFORMS[chosen.transforms], seed=chosen.seed)
        pose = hung_as(self.patch, span)
        (x, y), (across, down) = pose.centre[0].tolist(), pose.zoom[0].tolist()
        spot = Spot(x, y, across, down, float(pose.roll[0]))
        hung = hang_at(inputs, self.patch, [[spot]], setting, [sample_id])
        return hung.inputs, hung.mask[0, 0].cpu().numpy()


def check_fits(sizes: Iterable[tuple[int, int]], chosen: PatchSettings, shape: str | Tensor) -> None:
    """Refuse a patch that does not fit into some picture, before anything is computed.

    Args:
        sizes: of the pictures, (H,W).
        chosen: settings of the run.
        shape: of the patch, or its cover (1,h,w).

    Raises:
        UsageError: it is larger than a picture, smaller than a pixel, or leaves a picture at its fixed place.
    """
    for image in sorted(set(sizes)):
        span = window(chosen.size, shape, image)
        if chosen.where == "fixed":
            chosen.placement.allowed(torch.ones(span, dtype=torch.bool), image, None)


def shape_of(patch: Patch, shape: str) -> str | Tensor:
    """A patch's shape; where it was a picture's, what the patch keeps of it, since the picture may be gone."""
    return patch.alpha if is_file(shape) else shape


def _sides(cover: NDArray[np.bool_]) -> tuple[int, int]:
    """Rows and columns of what is covered."""
    return int(cover.any(1).sum()), int(cover.any(0).sum())


def lay(
    patch: Patch, ids: Sequence[str], image: tuple[int, int], objects: Tensor, placement: Placement, size: str,
    shape: str, seed: int,
) -> list[Laid | None]:  # fmt: skip
    """One patch on several pictures of a size; None where there is no place.

    Args:
        patch: what is laid.
        ids: of the pictures, on which places depend.
        image: (H,W).
        objects: where objects are, bool (B,1,H,W).
        placement: the policy.
        size: what the patch covers of a picture.
        shape: of the patch, which says how long its sides are.
        seed: of the places.
    """
    layout = Layout(placement, patch.alpha, window(size, shape_of(patch, shape), image), image, seed, parse_share(size))
    found: list[Laid | None] = []
    for spots in layout.spots(ids, Known(objects)):
        spot = torch.tensor(spots[:1], dtype=torch.float64)
        pose = pose_of(spot) if spots else None
        if pose is not None and patch.plane is not None:
            pose = pose.leaning(torch.tensor([patch.plane[1:]], dtype=torch.float64))
        canvas = (patch.alpha.shape[-2], patch.alpha.shape[-1])
        found.append(None if pose is None else Laid(patch, homographies(pose, canvas, image)[0]))
    return found
