"""A place that is sought with the patch: where its centre lies, and how it is turned."""

from math import hypot, pi

import torch
from torch import Tensor

from rgbdsod.attacks.patch.pose import Pose, Size

PLACE = "place"
"""The variable: the centre across and down, and the turn, (B,3,1) in [0, 1]."""

_QUARTER = pi / 2


def standing(pose: Pose, numbers: Tensor, span: Size, image: Size) -> Pose:
    """Patches where the numbers put them, differentiable; whatever they are, a patch is wholly in the image.

    Args:
        pose: how large the patches are.
        numbers: (B,3,1) in [0, 1]: from one edge of the image to the other, and from a quarter turn to the other.
        span: rows and columns of an upright patch in the image.
        image: (H, W).
    """
    across_down, turn = numbers.to(pose.centre)[:, :2, 0], numbers.to(pose.centre)[:, 2, 0]
    roll = (2 * turn - 1) * widest_turn(span, image)
    half = _halves(roll, span)
    room = (half.new_tensor([image[1], image[0]]) - 2 * half).clamp_min(0)
    return pose._replace(centre=half - 0.5 + across_down * room, roll=roll)


def numbers_of(pose: Pose, span: Size, image: Size) -> Tensor:
    """The numbers that stand for patches where they hang, (B,3,1) float64: `standing` the other way."""
    half = _halves(pose.roll, span)
    room = half.new_tensor([image[1], image[0]]) - 2 * half
    centre = torch.where(room > 0, (pose.centre + 0.5 - half) / room.clamp_min(1e-9), 0.5)
    widest = widest_turn(span, image)
    turn = (pose.roll / widest + 1) / 2 if widest else torch.full_like(pose.roll, 0.5)
    return torch.cat([centre, turn[:, None]], 1).clamp(0, 1)[:, :, None]


def widest_turn(span: Size, image: Size) -> float:
    """How far a patch may turn either way, in radians: a quarter, or not at all where it would leave the image."""
    return _QUARTER if hypot(*span) <= min(image) else 0.0


def _halves(roll: Tensor, span: Size) -> Tensor:
    """Half the sides of the upright box around turned patches, across and down, (B,2)."""
    cos, sin = roll.cos().abs(), roll.sin().abs()
    return torch.stack([span[1] * cos + span[0] * sin, span[1] * sin + span[0] * cos], 1) / 2
