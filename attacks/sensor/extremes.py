"""A few pixels at the ends of the range: whoever stretches depth by its minimum and maximum compresses all else."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.sensor.places import highest, one_each
from rgbdsod.attacks.sensor.search import worst_of
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def extremes(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    pixels: int = 2,
    draws: int = 30,
    sensor: str = "depth",
    **common: Unpack[Common],
) -> Result:
    """Set a few pixels of depth to 0 or 1, the worst of several draws per sample.

    A loader or a model that stretches each map by its own minimum and maximum gives them the whole range and leaves a
    narrow band to everything else. A draw decides where, and whether all go to 0, all to 1, or each to either.

    Args:
        problem: what is attacked; the stretch must be part of the model, or it is not seen.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "l0" or "linf"; inputs other than the sensor's stay as they are. Under Linf a
            pixel goes as far as the radius allows.
        pixels: how many, under Linf; under L0 the radius says it.
        draws: how many are tried, one forward pass each.
        sensor: the input that the sensor gives.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no pixels, no draws, another norm, or the sensor's input is not attacked.
    """
    if pixels < 1:
        raise UsageError(f"--pixels {pixels} changes nothing; pass 1 or more")

    def disturb(ball: Ball, streams: Streams) -> Tensor:
        side, coin = one_each(ball.clean, streams), streams.uniform(ball.clean[:, :1]).round()
        value = torch.where(side < 1 / 3, torch.zeros_like(coin), torch.where(side < 2 / 3, 1.0, coin))
        chosen = highest(streams.uniform(ball.clean[:, :1]), ball, pixels)
        return ball.project(torch.where(chosen, value, ball.clean))

    return worst_of(
        disturb, problem, inputs, threat, sensor=sensor, draws=draws, attack="extremes", norms=("l0", "linf"), **common
    )
