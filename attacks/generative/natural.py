"""Search among the latents near an image's own for the nearest whose picture fools: natural adversarial examples."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, conclude
from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.generative.latent import LatentGenerator
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.tracker import Tracker
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def natural(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    generator: str | Path | LatentGenerator = "natural",
    draws: int = 8,
    shells: int = 12,
    width: float = 0.5,
    halvings: int = 4,
    detail: bool = True,
    **common: Unpack[Common],
) -> Result:
    """The picture of the latent nearest to the image's own that fools, found by random draws in growing shells.

    A shell in which nothing fools is left for the next; where something does, the room between the last empty shell
    and the nearest hit is halved some times. Each sample has its own shells, and is done by itself.

    The paper's threat model is the whole box: a budget of norm linf and eps 1. With a smaller budget each picture is
    projected into it: the step towards the picture is natural then, its end is not. Where nothing fools, the picture
    of the highest loss is returned.

    Args:
        problem: what is attacked.
        inputs: all inputs (B,C,H,W) in [0, 1].
        threat: budgets by input; the inputs that it does not name stay as they are.
        generator: "natural", a demonstration trained on generated scenes, a .safetensors file, or a generator.
        draws: latents in a shell; the paper has 5000.
        shells: how many of them before the search is given up.
        width: of a shell, in units of the latents, which are normal; the paper has 0.01.
        halvings: how often the room is halved.
        detail: add to each picture what the generator cannot draw of the image, so that the image's own latent gives
            the image. False: the generator's picture, as in the paper, which asks for one that draws everything.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: nothing to draw; inputs that the generator does not know.
        WeightsError: the file is missing, damaged, or no latent generator.

    Source: Zhao et al., "Generating Natural Adversarial Examples", arXiv 1710.11342, algorithms 1 and 2.
    """
    _check(draws, shells, width, halvings)
    if not isinstance(generator, LatentGenerator):
        generator = LatentGenerator.load(generator).to(next(iter(inputs.values())).device)
    with (
        Engine.open(
            problem, inputs, threat,
            attack="natural", seed=common.get("seed", 0), sample_ids=common.get("sample_ids"),
            precision=common.get("precision", "float32"), knowledge="score",
        ) as engine,
        torch.no_grad(),
    ):  # fmt: skip
        tracker = Tracker(1 + draws * (shells + halvings), common.get("callback"))
        tracker.begin()
        search = _Search.begin(engine, tracker, generator, inputs, detail)
        for turn in range(shells + halvings if engine.balls else 0):
            standing = search.standing(turn, shells, halvings)
            if not len(standing):
                break
            search.shell(standing, turn, draws, width)
        tracker.offer(search.points, search.found())
        return conclude(engine, tracker, inputs, 0)


@dataclass(eq=False)
class _Search:
    """What is known of each sample so far.

    Attributes:
        own: its own latent (B,D).
        rest: by attacked input, what is added to a picture.
        points: the picture to return, by attacked input.
        value: the tracked value of that picture.
        near: the distance of its latent where it fools, otherwise infinite.
        low: up to here nothing fooled.
        halved: how often the room between both was halved.
    """

    engine: Engine
    tracker: Tracker
    model: LatentGenerator
    own: Tensor
    rest: dict[str, Tensor]
    points: dict[str, Tensor]
    value: Tensor
    near: Tensor
    low: Tensor
    halved: Tensor

    @classmethod
    def begin(cls, engine: Engine, tracker: Tracker, model: LatentGenerator, inputs: Inputs, detail: bool) -> "_Search":
        """The picture of the image's own latent is looked at first."""
        own = model.latents(inputs)
        drawn = model.split(model.draw(own), engine.clean)
        rest = {name: clean - drawn[name] if detail else 0 * clean for name, clean in engine.clean.items()}
        points = {name: ball.project(drawn[name] + rest[name]) for name, ball in engine.balls.items()}
        first = engine.evaluate(points)
        tracker.note(first)
        zero = torch.zeros_like(first.value)
        near = torch.where(first.judge(), zero, torch.inf)
        return cls(engine, tracker, model, own, rest, points, first.value, near, zero, zero.clone())

    def standing(self, turn: int, shells: int, halvings: int) -> Tensor:
        """Samples whose search goes on, int64."""
        growing = self.near.isinf() & (turn < shells)
        shrinking = self.near.isfinite() & (self.near > 0) & (self.halved < halvings)
        return (growing | shrinking).nonzero().flatten()

    def shell(self, rows: Tensor, turn: int, draws: int, width: float) -> None:
        """All draws in one shell of each of these samples."""
        everyone = len(rows) == len(self.value)
        engine = self.engine if everyone else self.engine.part(rows)
        low, hit = self.low[rows], self.near[rows].isfinite()
        high = torch.where(hit, (low + self.near[rows]) / 2, low + width)
        streams = engine.streams(turn, "latent")
        fooled = torch.zeros_like(hit)
        for _ in range(draws):
            fooled |= self._look(engine, rows, streams, low, high)
        self.low[rows] = torch.where(fooled, low, high)
        self.halved[rows] += hit

    def found(self) -> Evaluation:
        """What is known of the pictures to return."""
        return Evaluation(self.value, partial(torch.isfinite, self.near))

    def _look(self, engine: Engine, rows: Tensor, streams: Streams, low: Tensor, high: Tensor) -> Tensor:
        """One draw for each sample; which of them fool."""
        way = streams.normal(self.own[rows])
        distance = torch.lerp(low, high, streams.uniform(low))
        step = way * (distance.to(way) / way.norm(dim=1).clamp_min(1e-12))[:, None]
        drawn = self.model.split(self.model.draw(self.own[rows] + step), engine.clean)
        points = {name: ball.project(drawn[name] + self.rest[name][rows]) for name, ball in engine.balls.items()}
        looked = engine.evaluate(points)
        fooled = looked.judge()
        nearer = fooled & (distance < self.near[rows])
        self._keep(rows, points, looked.value, nearer | (self.near[rows].isinf() & (looked.value > self.value[rows])))
        self.near[rows] = torch.where(nearer, distance, self.near[rows])
        self.tracker.note(Evaluation(self.value.index_copy(0, rows, looked.value), looked.judge))
        return fooled

    def _keep(self, rows: Tensor, points: Inputs, value: Tensor, better: Tensor) -> None:
        for name, point in points.items():
            old = self.points[name][rows]
            chosen = torch.where(better.view(-1, *[1] * (point.ndim - 1)), point, old)
            self.points[name] = self.points[name].index_copy(0, rows, chosen)
        self.value = self.value.index_copy(0, rows, torch.where(better, value, self.value[rows]))


def _check(draws: int, shells: int, width: float, halvings: int) -> None:
    check_counts(draws=draws, shells=shells)
    if not width > 0:
        raise UsageError(f"--width {width:g} does not grow; pass a width above 0")
    if halvings < 0:
        raise UsageError(f"--halvings {halvings}; pass 0 or more")
