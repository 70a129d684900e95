"""Inputs shrunk and padded at random, anew at each step: DI-FGSM."""

from dataclasses import replace
from typing import Any, Unpack, cast

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.transfer.climb import climb
from rgbdsod.attacks.transfer.frames import Frame, Span
from rgbdsod.attacks.transfer.images import check_images
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class _Framed:
    """A problem that sees all pictures shrunk; asked for anything else it is the problem itself."""

    def __init__(self, problem: Problem, untouched: Inputs, frame: Frame) -> None:
        self._problem, self._untouched, self._frame = problem, untouched, frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def forward(self, inputs: Inputs) -> Any:
        """What the problem makes of the shrunk pictures; half precision is for networks, not for resizing."""
        device = next(iter(inputs.values())).device.type
        with torch.autocast(device, enabled=False):
            shrunk = {name: self._frame.shrink(value) for name, value in {**inputs, **self._untouched}.items()}
        outputs = self._problem.forward(shrunk)
        with torch.autocast(device, enabled=False):
            return self._frame.restore(outputs)


class Diverse:
    """Estimates at shrunk and padded inputs: all inputs of a sample alike, and all its copies, anew at each step.

    Untouched inputs move too, lest they no longer fit to the others, and are therefore encoded again at each step.
    The first step sees the pictures themselves, so that the loss at the start is known without a pass of its own. Maps
    are brought back to the whole picture before they are compared with anything, so that they meet their masks.

    Args:
        chance: how often a sample is shrunk, 0 to 1.
        smallest: the smallest side, as a share of the picture's.
        steps: of the attack; all random numbers are drawn at once, since each draw makes a GPU wait.

    Raises:
        UsageError: a chance or a share outside its range.
    """

    def __init__(self, chance: float, smallest: float, steps: int) -> None:
        if not 0 <= chance <= 1:
            raise UsageError(f"--diversity {chance:g} is no chance; pass 0 (never) to 1 (always)")
        if not 0 < smallest <= 1:
            raise UsageError(f"--smallest {smallest:g} is no share of a side; pass a number above 0, up to 1")
        self._chance, self._smallest, self._steps = chance, smallest, steps
        self._draws: dict[Engine, Tensor] = {}

    def __call__(self, engine: Engine, points: Inputs, progress: float) -> Evaluation:
        """One pass at shrunk points; the gradients are those of the points themselves."""
        check_images(points, "input diversity")
        if progress == 0:
            return engine.gradient(points, progress)
        frame = self._frame(engine, next(iter(points.values())), round(progress * self._steps))
        framed = cast(Problem, _Framed(engine.whole, engine.untouched, frame))
        return replace(engine.asking(framed, framed).gradient(points, progress), faithful=False)

    def _frame(self, engine: Engine, picture: Tensor, step: int) -> Frame:
        """Where one step's pictures lie; copies of a sample draw from streams of one name, hence the same numbers."""
        if engine not in self._draws:
            like = picture.new_empty(len(picture), self._steps, 4)
            self._draws[engine] = engine.streams(0, "diversity").uniform(like)
        chance, size, top, left = self._draws[engine][:, step].unbind(1)
        moved = chance < self._chance
        height, width = picture.shape[-2:]
        return Frame(
            Span.drawn(height, self._smallest, moved, size, top), Span.drawn(width, self._smallest, moved, size, left)
        )


def difgsm(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    diversity: float = 0.5,
    smallest: float = 0.9,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Accumulated gradients at inputs that are shrunk and padded at random.

    Args:
        problem: what is attacked; its attacked inputs are images.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        diversity: how often a sample is shrunk at a step, 0 to 1; at the first step never.
        smallest: the smallest side, as a share of the picture's.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a chance or a share outside its range; an attacked input that is no image.

    Source: Xie et al., "Improving Transferability of Adversarial Examples with Input Diversity", arXiv 1803.06978,
    equations 2 and 5.
    """
    estimate = InTurn(Diverse(diversity, smallest, steps))
    return climb(
        problem,
        inputs,
        threat,
        estimate,
        attack="difgsm",
        steps=steps,
        step_size=step_size,
        decay=decay,
        keep=keep,
        **common,
    )
