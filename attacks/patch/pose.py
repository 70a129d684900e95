"""How a card lies in space, and the homography that its plane and a pinhole camera make of that."""

from math import radians, tan
from typing import NamedTuple

import torch
from torch import Tensor

STEEPEST = tan(radians(60))
"""The largest tilt, as the tangent of its angle."""

Size = tuple[int, int]


class Pose(NamedTuple):
    """Where cards lie, float64.

    Args:
        centre: the pixel (x, y) in which a card's centre is seen, (B,2).
        zoom: pixels of the image per pixel of the patch across and down, of a card that faces the camera, (B,2).
        roll: turn about the centre, in radians, (B,).
        tilt: how fast inverse distance grows across and down, over its value at the centre, per focal length, (B,2):
            tangents of yaw and pitch for a card on the optical axis.
    """

    centre: Tensor
    zoom: Tensor
    roll: Tensor
    tilt: Tensor

    @classmethod
    def facing(cls, centre: Tensor, zoom: Tensor) -> "Pose":
        """Cards that face the camera, upright."""
        return cls(centre, zoom, centre.new_zeros(len(centre)), torch.zeros_like(centre))

    def select(self, index: Tensor) -> "Pose":
        """Some of the cards."""
        return Pose(*(value[index] for value in self))

    def leaning(self, more: Tensor) -> "Pose":
        """The same cards with more tilt, at most 60 degrees in all."""
        return self._replace(tilt=limited(self.tilt + more.to(self.tilt)))


def limited(tilt: Tensor) -> Tensor:
    """Tilts (B,2), those beyond 60 degrees shortened."""
    length: Tensor = torch.linalg.vector_norm(tilt, dim=-1, keepdim=True)
    return tilt * (STEEPEST / length.clamp_min(STEEPEST))


def usual_focal(image: Size) -> float:
    """The focal length in pixels that is taken where none is known: 1.2 times the longer side (a field of 45 degrees).

    Args:
        image: (H, W).
    """
    return 1.2 * max(image)


def homographies(pose: Pose, canvas: Size, image: Size, focal: float | None = None) -> Tensor:
    """Matrices (B,3,3), float64, from the patch's pixels (x, y, 1) to the image's; pixel centres are whole numbers.

    The card is a plane in space. The two axes on it follow from its normal by the shortest turn, then by the roll; what
    the camera sees of them are the columns of the homography. Tilt is a constant here: no gradient passes to it.

    Args:
        pose: where the cards lie.
        canvas: (h, w) of the patch.
        image: (H, W).
        focal: in pixels; None: `usual_focal`. The principal point is the image's centre.
    """
    pose, focal = pose._replace(tilt=pose.tilt.detach()), focal or usual_focal(image)
    middle = pose.centre.new_tensor([(image[1] - 1) / 2, (image[0] - 1) / 2])
    ray = (pose.centre - middle) / focal
    first, second = _axes(pose, ray)
    half = pose.zoom / focal
    across, down = half[:, :1] * first, half[:, 1:] * second
    corner = (
        torch.cat([ray, torch.ones_like(ray[:, :1])], 1) - (canvas[1] - 1) / 2 * across - (canvas[0] - 1) / 2 * down
    )
    columns = torch.stack([across, down, corner], 2)  # in space, (B,3,3)
    camera = columns.new_tensor([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    return camera @ columns


def _axes(pose: Pose, ray: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors (B,3) along the card's rows and columns."""
    normal = torch.cat([pose.tilt, 1 - (pose.tilt * ray).sum(1, keepdim=True)], 1)
    x, y, z = (normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)).unbind(1)
    bent = -x * y / (1 + z)
    right = torch.stack([1 - x * x / (1 + z), bent, -x], 1)
    below = torch.stack([bent, 1 - y * y / (1 + z), -y], 1)
    cos, sin = pose.roll.cos()[:, None], pose.roll.sin()[:, None]
    return cos * right + sin * below, cos * below - sin * right
