"""Places where a depth sensor measures nothing: patches, specks, and seams along depth edges."""

from typing import Literal, Unpack, get_args

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.sensor.places import highest, hills, one_each
from rgbdsod.attacks.sensor.search import worst_of
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Pattern = Literal["any", "patches", "specks", "edges"]
PATTERNS: tuple[str, ...] = get_args(Pattern)

_PATCHES, _SPECKS = 4, 24  # hills along each side: a few absorbing surfaces, or many glossy spots


def holes(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    pattern: Pattern = "any",
    share: float = 0.1,
    draws: int = 30,
    sensor: str = "depth",
    **common: Unpack[Common],
) -> Result:
    """Set depth to 0 where a sensor may measure nothing, the worst of several draws per sample.

    Under an L0 budget the radius says how many pixels become holes. Under Linf `share` does, and a hole is as deep as
    the radius allows: only eps 1 lets all of them reach 0. A mask that keeps unmeasured places keeps them here too;
    holes then appear only where something was measured.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l0" or "linf"; inputs other than the sensor's stay as they are.
        pattern: "patches" (surfaces that absorb light), "specks" (glossy spots), "edges" (what only one of two eyes
            sees, beside a step in depth), or "any", drawn anew each time.
        share: of the pixels that become holes, under Linf.
        draws: how many patterns are tried, one forward pass each.
        sensor: the input that the sensor gives.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: unknown pattern or norm, a share outside 0 to 1, no draws, or the sensor's input is not attacked.

    Source: where depth is missing: Mallick et al., "Characterizations of Noise in Kinect Depth Images: A Review", IEEE
    Sensors Journal, 2014. The search is our own.
    """
    if pattern not in PATTERNS:
        raise UsageError(f'no pattern "{pattern}"; patterns are {", ".join(PATTERNS)}')
    if not 0 < share <= 1:
        raise UsageError(f"--share {share:g} of the pixels; pass a number above 0 and up to 1")

    def disturb(ball: Ball, streams: Streams) -> Tensor:
        pixels = max(1, round(share * ball.clean[0, 0].numel()))
        lost = highest(_landscape(ball.clean, streams, pattern) * (ball.clean.amax(1, keepdim=True) > 0), ball, pixels)
        return ball.project(ball.clean * ~lost)

    return worst_of(
        disturb, problem, inputs, threat, sensor=sensor, draws=draws, attack="holes", norms=("l0", "linf"), **common
    )


def _landscape(depth: Tensor, streams: Streams, pattern: Pattern) -> Tensor:
    """What is highest is lost first, (B,1,H,W); a map that is 0 already has nothing to lose."""
    few, many = hills(depth, streams, _PATCHES), hills(depth, streams, _SPECKS)
    step = (max_pool2d(depth, 3, 1, 1) + max_pool2d(-depth, 3, 1, 1)).amax(1, keepdim=True)
    kinds = {"patches": few, "specks": many, "edges": step * few + 1e-3 * few}
    if pattern != "any":
        return kinds[pattern]
    chosen = (one_each(depth, streams) * len(kinds)).floor()
    landscape = torch.zeros_like(few)
    for at, kind in enumerate(kinds.values()):
        landscape = torch.where(chosen == at, kind, landscape)
    return landscape
