"""Depth that does not lie on its picture: shifted, turned and scaled against it."""

from math import radians
from typing import Literal, Unpack, get_args

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.sensor.places import one_each
from rgbdsod.attacks.sensor.search import worst_of
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Border = Literal["hole", "replicate"]
_PADDING: dict[str, str] = {"hole": "zeros", "replicate": "border"}


def misregistration(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    shift: float = 8.0,
    rotation: float = 1.0,
    scale: float = 0.02,
    border: Border = "hole",
    draws: int = 30,
    sensor: str = "depth",
    **common: Unpack[Common],
) -> Result:
    """Move the depth map against its picture, the worst of several draws per sample.

    How far it moves is said by `shift`, `rotation` and `scale`. The budget bounds the values besides: what leaves it is
    projected back, and under a small radius little is left of the motion. For a map that is moved as a whole, allow
    every value: norm "linf" with eps 1.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input; inputs other than the sensor's stay as they are.
        shift: at most so many pixels along each axis, at the size of the inputs.
        rotation: at most so many degrees either way, about the centre.
        scale: at most so much larger or smaller; 0.02 is 2 %.
        border: what moves in from outside: a "hole" (0) or a copy of the edge ("replicate").
        draws: how many motions are tried, one forward pass each.
        sensor: the input that the sensor gives.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: unknown border, a range below 0, nothing moves, no draws, or the sensor's input is not attacked.
    """
    if border not in get_args(Border):
        raise UsageError(f'no border "{border}"; borders are {", ".join(get_args(Border))}')
    if min(shift, rotation, scale) < 0 or scale >= 1 or max(shift, rotation, scale) == 0:
        raise UsageError(
            f"--shift {shift:g} --rotation {rotation:g} --scale {scale:g}: pass 0 or more for each, one of them above "
            "0, and a scale below 1"
        )

    def disturb(ball: Ball, streams: Streams) -> Tensor:
        motion = _motion(ball.clean, streams, shift, radians(rotation), scale)
        grid = affine_grid(motion, list(ball.clean.shape), align_corners=False)
        moved = grid_sample(ball.clean, grid, mode="bilinear", padding_mode=_PADDING[border], align_corners=False)
        return ball.project(moved)

    return worst_of(disturb, problem, inputs, threat, sensor=sensor, draws=draws, attack="misregistration", **common)


def _motion(like: Tensor, streams: Streams, shift: float, angle: float, scale: float) -> Tensor:
    """A random motion for each sample as the matrix (B,2,3) that leads from a pixel to where its value came from.

    Coordinates run from -1 to 1 along both sides, so that a turn must know which side is the longer one.
    """
    height, width = like.shape[-2:]
    across, down, turn, grow = (one_each(like, streams).flatten().mul_(2).sub_(1) for _ in range(4))
    size, turn = 1 / (1 + scale * grow), angle * turn
    cos, sin = size * turn.cos(), size * turn.sin()
    rows = [
        cos,
        -sin * height / width,
        2 * shift * across / width,
        sin * width / height,
        cos,
        2 * shift * down / height,
    ]
    return torch.stack(rows, dim=1).view(-1, 2, 3)
