"""Gradients smoothed by a Gaussian: TI-FGSM."""

from dataclasses import replace
from typing import Unpack

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Estimate, Keep
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.transfer.climb import climb
from rgbdsod.attacks.transfer.images import check_images
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_REACH = 3.0  # standard deviations from the middle of the kernel to its ends
_TAPS = 15  # of the paper, for pictures of 299 pixels
_SHARE = 10  # of a smaller picture's shorter side a kernel takes at most a tenth: it must not blur all of it


def smoothed(estimate: Estimate, kernel: int | None) -> Estimate:
    """An estimate whose gradients are smoothed, as if it were averaged over shifts of the picture.

    Args:
        estimate: what is smoothed.
        kernel: taps of the Gaussian in each direction, odd; they span -3 to 3 standard deviations. None: 15, or what a
            tenth of the shorter side holds, but at least 3.

    Raises:
        UsageError: an even kernel.
    """
    if kernel is not None and (kernel < 1 or kernel % 2 != 1):
        raise UsageError(f"--kernel {kernel:g} has no middle; pass an odd number of taps, for example 15")

    def smooth(engine: Engine, points: Inputs, progress: float) -> Evaluation:
        check_images(points, "smoothing of gradients")
        found = estimate(engine, points, progress)
        return replace(
            found, gradients={name: _blurred(g, kernel or _fitting(g)) for name, g in found.gradients.items()}
        )

    return smooth


def _fitting(picture: Tensor) -> int:
    """The paper's taps, or fewer for a small picture."""
    half = min(picture.shape[-2:]) // _SHARE // 2
    return min(_TAPS, max(3, 2 * half + 1))


def gaussian(kernel: int, like: Tensor) -> Tensor:
    """The taps in one direction, of sum 1; those in both directions are their products."""
    taps = torch.linspace(-_REACH, _REACH, kernel, device=like.device, dtype=like.dtype)
    weights = (-taps.square() / 2).exp()
    return weights / weights.sum()


def _blurred(gradient: Tensor, kernel: int) -> Tensor:
    """Each channel convolved, 0 beyond the edges."""
    taps = gaussian(int(kernel), gradient)
    planes = gradient.flatten(0, 1)[:, None]
    planes = conv2d(planes, taps.view(1, 1, -1, 1), padding=(len(taps) // 2, 0))
    return conv2d(planes, taps.view(1, 1, 1, -1), padding=(0, len(taps) // 2)).view_as(gradient)


def tifgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    kernel: int | None = None,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Accumulated gradients, each smoothed by a Gaussian before it is normalised.

    Args:
        problem: what is attacked; its attacked inputs are images.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        kernel: taps of the Gaussian in each direction, odd. None: the paper's 15, or what a tenth of the shorter side
            holds, but at least 3.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: an even kernel; an attacked input that is no image.

    Source: Dong et al., "Evading Defenses to Transferable Adversarial Examples by Translation-Invariant Attacks", arXiv
    1904.02884, equations 7 and 9.
    """
    estimate = smoothed(InTurn(), kernel)
    return climb(
        problem,
        inputs,
        threat,
        estimate,
        attack="tifgsm",
        steps=steps,
        step_size=step_size,
        decay=decay,
        keep=keep,
        **common,
    )
