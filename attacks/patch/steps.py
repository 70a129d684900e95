"""Steps of a patch: its colours one way, the numbers of its plane another."""

from collections.abc import Mapping, Sequence
from math import cos, pi
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.core import Start
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.gradient.pgd_adam import Adam
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.patch.learned import PLACE
from rgbdsod.attacks.patch.natural.bank import Bank
from rgbdsod.attacks.patch.natural.family import COLOUR, LATENT
from rgbdsod.attacks.patch.problem import PLANE, RELIEF
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.rules import Momentum, Rule

V = TypeVar("V")

_DECAY = 0.9
_LAST = 0.1  # of the first step size is left at the end
_PLANE_STEP = 0.01  # in units of the map
_TILT = 0.1  # of that step, for the two numbers of the tilt
_PLACE_STEP = 0.005  # of the way from one edge to the other
_NUMBERS = (PLANE, LATENT, PLACE)


class Apart:
    """Signed steps with momentum for pixels; Adam for numbers, the plane's three and those of a family.

    Args:
        balls: by variable.
        sizes: the step sizes.
        steps: how many there will be.
    """

    def __init__(self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int) -> None:
        self._rules: dict[tuple[str, ...], Rule] = {}
        pixels = tuple(name for name in balls if name not in _NUMBERS)
        numbers = tuple(name for name in balls if name in _NUMBERS)
        if pixels:
            self._rules[pixels] = Momentum(_of(balls, pixels), _of(sizes, pixels), steps, decay=_DECAY)
        if numbers:
            self._rules[numbers] = Adam(_of(balls, numbers), _of(sizes, numbers), steps)

    def look(self, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """At the points themselves."""
        return points

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Each its own way."""
        moved: dict[str, Tensor] = {}
        for names, rule in self._rules.items():
            own = Evaluation(evaluation.value, evaluation.judge, _of(evaluation.gradients, names))
            moved |= rule.step(_of(points, names), own)
        return {name: _held(name, points[name], moved[name]) for name in points}

    def select(self, index: Tensor, balls: Mapping[str, Ball]) -> None:
        """Go on with some of the samples."""
        for names, rule in self._rules.items():
            rule.select(index, _of(balls, names))


class Annealed(Adam):
    """Adam whose steps shrink along a half cosine to a tenth, and whose memory can be kept in a file.

    Args:
        balls: by variable.
        sizes: the first step sizes.
        steps: how many there will be.
    """

    def __init__(self, balls: Mapping[str, Ball], sizes: Mapping[str, Tensor], steps: int) -> None:
        super().__init__(balls, sizes, steps)
        self._first, self._total = dict(sizes), steps

    def step(self, points: dict[str, Tensor], evaluation: Evaluation) -> dict[str, Tensor]:
        """Up the mean gradient, by less each time."""
        share = _LAST + (1 - _LAST) * (1 + cos(pi * self._step / self._total)) / 2
        self._sizes = {name: size * share for name, size in self._first.items()}
        return super().step(points, evaluation)

    @property
    def steps_made(self) -> int:
        """How many steps it has made."""
        return self._step

    def memory(self) -> dict[str, Tensor]:
        """What it remembers, by name."""
        return {
            **{f"mean/{name}": value for name, value in self._mean.items()},
            **{f"root/{name}": value for name, value in self._root.items()},
        }

    def recall(self, memory: Mapping[str, Tensor], step: int) -> None:
        """Go on from what another one remembered after so many steps."""
        self._step = step
        self._mean, self._root = (
            {name.removeprefix(prefix): value for name, value in memory.items() if name.startswith(prefix)}
            for prefix in ("mean/", "root/")
        )


def step_of(size: float) -> dict[str, float]:
    """Step sizes by variable, for a step of the pixels."""
    return {COLOUR: size, RELIEF: size, LATENT: size, PLANE: _PLANE_STEP, PLACE: _PLACE_STEP}


def _held(name: str, before: Tensor, after: Tensor) -> Tensor:
    """Tilt goes a tenth as fast as nearness: it moves the whole print, and colours would chase it."""
    if name != PLANE:
        return after
    return before + (after - before) * before.new_tensor([1.0, _TILT, _TILT])


def grey(ball: Ball, streams: Streams) -> Tensor:
    """The middle of what is allowed."""
    return ball.clean.clone()


def uniform(ball: Ball, streams: Streams) -> Tensor:
    """Values evenly from all that are allowed; a plane begins upright, at half the range, and a place where it is."""
    kept = ball.clean.ndim == 2 or tuple(ball.clean.shape[1:]) == (3, 1)
    return grey(ball, streams) if kept else ball.start(streams)


STARTS = ("uniform", "grey", "image")


def start_of(name: str, bank: Bank | None) -> Start:
    """Where a restart begins.

    Args:
        name: one of `STARTS`; "image": at a crop of a photograph, for each restart another.
        bank: of crops; None where colours begin in the middle of their family, which may itself be a crop.
    """
    if name == "uniform":
        return uniform
    if name == "grey" or bank is None:
        return grey

    def image(ball: Ball, streams: Streams) -> Tensor:
        colours = ball.clean.ndim == 4 and ball.clean.shape[1] == 3
        return bank.start(streams, ball.clean) if colours else grey(ball, streams)

    return image


def going_on(points: Sequence[Mapping[str, Tensor] | None]) -> Start:
    """Where a restart begins that goes on from patches which are there.

    Args:
        points: for each sample a patch in the variables of a problem, brought to the canvas's size; None: there is no
            patch, and the sample begins at random.
    """

    def start(ball: Ball, streams: Streams) -> Tensor:
        begun = uniform(ball, streams)
        for row, own in enumerate(points):
            found = None if own is None else _alike(own, ball.clean[row : row + 1])
            if found is not None:
                begun[row] = found[0]
        return ball.project(begun)

    return start


def _alike(points: Mapping[str, Tensor], like: Tensor) -> Tensor | None:
    """The variable that has the shape of `like`, but for its size: numbers, colours, or a relief."""
    for value in points.values():
        if value.shape[1:-2] == like.shape[1:-2] and value.ndim == like.ndim:
            fits = value.ndim == 2 or value.shape == like.shape
            return (value if fits else interpolate(value, like.shape[-2:], mode="area")).to(like)
    return None


def _of(values: Mapping[str, V], names: tuple[str, ...]) -> dict[str, V]:
    return {name: values[name] for name in names}


def middle(shapes: Mapping[str, tuple[int, ...]], like: Tensor) -> dict[str, Tensor]:
    """Variables of these shapes at the middle of their range."""
    return {name: torch.full(shape, 0.5, dtype=like.dtype, device=like.device) for name, shape in shapes.items()}
