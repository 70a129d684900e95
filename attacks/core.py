"""The one loop behind the gradient attacks."""

from collections.abc import Callable, Sequence
from typing import Literal, TypedDict, get_args

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.knowledge import Knowledge
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import Ascent, MakeRule, Rule, StepSize, step_sizes
from rgbdsod.attacks.tracker import Tracker
from rgbdsod.errors import UsageError
from rgbdsod.types import Callback, Inputs

Keep = Literal["best", "last", "unseen"]
"""What a restart returns: the best point it looked at, the one it ended on, or that without a look at it."""

_PAUSE = 10  # steps between two looks at who is done, each of which makes a device wait

Start = Callable[[Ball, Streams], Tensor]
"""Where a restart begins in a ball."""

Estimate = Callable[[Engine, Inputs, float], Evaluation]
"""(engine, points, progress) -> values and gradients; by default one pass forward and back at the points."""


class Common(TypedDict, total=False):
    """What every attack takes besides its own parameters.

    seed: the run's seed (0).
    sample_ids: one id per sample, on which its random numbers depend (places in the batch).
    callback: called with (passes done, passes in all).
    precision: "float32", or what the network runs in under autocast: "bfloat16", "float16". The perturbation and the
        verdict on the result are float32 in any case.
    stop: a sample that is fooled is done, keeps the point that fooled, and leaves the batch (False). Attacks that look
        for the smallest change, or count queries, decide that themselves.
    eot: how many passes one gradient is the mean of (1); more for models that answer at random.
    """

    seed: int
    sample_ids: Sequence[str] | None
    callback: Callback | None
    precision: str
    stop: bool
    eot: int


class Walking(Common, total=False):
    """What attacks that are settings of `perturb` take besides.

    begin: points by attacked input, such as another attack's result, at which the first restart begins (None: where the
        attack itself begins).
    """

    begin: Inputs | None


def at_clean(ball: Ball, streams: Streams) -> Tensor:
    """The clean input."""
    return ball.clean


def at_random(ball: Ball, streams: Streams) -> Tensor:
    """A random point of the ball."""
    return ball.start(streams)


def plain(engine: Engine, points: Inputs, progress: float) -> Evaluation:
    """One forward and one backward pass at the points."""
    return engine.gradient(points, progress)


def perturb(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    restarts: int = 1,
    start: Start = at_clean,
    begin: Inputs | None = None,
    rule: MakeRule = Ascent,
    estimate: Estimate = plain,
    keep: Keep = "best",
    attack: str = "perturb",
    seed: int = 0,
    sample_ids: Sequence[str] | None = None,
    callback: Callback | None = None,
    precision: str = "float32",
    knowledge: Knowledge = "white",
    stop: bool = False,
    eot: int = 1,
) -> Result:
    """Raise a problem's loss within the budgets, each sample for itself.

    A restart of T steps costs T forward and T backward passes, and one more forward for its last point. The best point
    so far is read from these passes. One forward more re-measures the result where it was rounded to a grid, or found
    in half precision.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...), float, in [0, 1].
        threat: budgets by input. An input that is not named comes back bit-identical and is encoded once.
        steps: steps of a restart, 0 or more.
        step_size: one size for all inputs, in units of the [0, 1] input; one for each; or None: the norm's own (Linf
            eps/4, L2 2.5 eps/steps, L1 eps/5).
        restarts: runs from different starts; each sample keeps its best.
        start: where a restart begins: `at_clean`, `at_random`, or any function of the ball and random streams.
        begin: points (B, ...) by attacked input at which the first restart begins instead, brought into the budget.
        rule: how a step is made from a gradient.
        estimate: how values and gradients at a point are found.
        keep: "best": the best point that was looked at. "last": the point that a restart ends on. "unseen": that point
            without the forward pass that looks at it, for training, where the next step does; its loss is NaN.
        attack: the attack's name, on which the random numbers depend.
        seed, sample_ids, callback, precision: see `Common`.
        knowledge: what the attack may see of the model; asking for more is an error.
        stop: a sample that is fooled is done: it keeps the point that fooled, and leaves the batch when it is next
            looked whom to go on with (after every step on a CPU, every 10 on a device).
        eot: how many passes one gradient is the mean of.

    Raises:
        UsageError: inputs, threat or settings do not fit the problem; a radius is infinite; no gradient reaches an
            attacked input.
        WeightsError: the model returned NaN.
    """
    _check(steps, restarts, start, keep)
    _check_begin(begin, inputs)
    with Engine.open(
        problem,
        inputs,
        threat,
        attack=attack,
        seed=seed,
        sample_ids=sample_ids,
        precision=precision,
        knowledge=knowledge,
        eot=eot,
    ) as engine:
        _check_radii(engine, attack)
        steps = steps if engine.balls else 0
        sizes = step_sizes(step_size, engine.balls, steps)
        tracker = Tracker(restarts * (steps + (keep != "unseen")), callback, decisive=stop)
        for restart in range(restarts):
            points = {name: start(ball, engine.streams(restart, name)) for name, ball in engine.balls.items()}
            if begin and restart == 0:
                points |= {name: ball.project(begin[name].to(ball.clean)) for name, ball in engine.balls.items()
                           if name in begin}  # fmt: skip
            tracker.begin()
            walk = Walk(engine, tracker, rule(engine.balls, sizes, steps), points)
            if stop and restart:
                walk.leave()
            walk.climb(estimate, steps, keep, stop=stop)
        return conclude(engine, tracker, inputs, steps)


class Walk:
    """One restart at work, for the samples that still stand.

    Args:
        engine: what it runs on.
        tracker: told of every point.
        path: makes the steps.
        points: where it begins.
    """

    def __init__(self, engine: Engine, tracker: Tracker, path: Rule, points: dict[str, Tensor]) -> None:
        self._engine, self._tracker, self._path, self._points = engine, tracker, path, points
        self._left = len(engine)

    def climb(self, estimate: Estimate, steps: int, keep: Keep, *, stop: bool) -> None:
        """All steps, and a last look."""
        pause = 1 if next(iter(self._points.values()), torch.empty(0)).is_cpu else _PAUSE
        for step in range(steps):
            if stop and step and step % pause == 0:
                self.leave()
            if not self._left:
                return
            at = self._path.look(self._points)
            evaluation = estimate(self._engine, at, step / steps)
            if keep == "best" and at is self._points and evaluation.faithful:
                self._tracker.offer(self._points, evaluation)
            self._points = self._path.step(self._points, evaluation)
            self._tracker.note(evaluation)
        if keep == "unseen":
            self._tracker.adopt(self._points)
        elif self._left:
            evaluation = self._engine.evaluate(self._points)
            self._tracker.offer(self._points, evaluation)
            self._tracker.note(evaluation)

    def leave(self) -> None:
        """Samples that are fooled leave the batch."""
        index = self._tracker.standing().nonzero().flatten()
        if len(index) in (0, self._left):
            self._left = len(index)
            return
        self._left = len(index)
        self._tracker.narrow(index)
        self._engine = self._engine.part(index)
        self._points = {name: point[index] for name, point in self._points.items()}
        self._path.select(index, self._engine.balls)


def conclude(engine: Engine, tracker: Tracker, inputs: Inputs, steps: int) -> Result:
    """The result of a run: rounded to the budgets' grids where they name one, and re-measured then.

    Args:
        engine: what the attack ran on.
        tracker: what it found.
        inputs: the caller's inputs.
        steps: steps of a restart.

    Raises:
        WeightsError: a value on the way was NaN.
    """
    trace = tracker.trace()
    engine.check_finite(trace)
    points, best = tracker.best()
    grids = [name for name, ball in engine.balls.items() if ball.budget.levels]
    for name in grids:
        points[name] = quantise(points[name], engine.clean[name], engine.balls[name].budget)
    exact = engine.in_full_precision()
    if grids or exact is not engine:
        best = exact.evaluate(points)
    forward, backward = engine.passes()
    return Result(
        inputs={name: points.get(name, clean) for name, clean in inputs.items()},
        start_loss=trace[0, 0],
        loss=best.value,
        fooled=best.judge(),
        forward=forward,
        backward=backward,
        steps=steps,
        trace=trace,
    )


def _check_radii(engine: Engine, attack: str) -> None:
    for name, ball in engine.balls.items():
        if not bool(torch.isfinite(ball.radius).all()):
            raise UsageError(
                f'attack "{attack}" needs a finite radius for {name}; pass --eps, or use one such as deepfool'
            )


def _check_begin(begin: Inputs | None, inputs: Inputs) -> None:
    for name, value in (begin or {}).items():
        if name not in inputs or value.shape != inputs[name].shape:
            wanted = f"{tuple(inputs[name].shape)}" if name in inputs else f"one of {', '.join(inputs)}"
            raise UsageError(f"begin: {name} of shape {tuple(value.shape)} is no point to begin at; pass {wanted}")


def _check(steps: int, restarts: int, start: Start, keep: Keep) -> None:
    if keep not in get_args(Keep):
        raise UsageError(f'no keep "{keep}"; it is one of {", ".join(get_args(Keep))}')
    if steps < (keep == "unseen"):
        raise UsageError(f"--steps {steps} is too few; pass 1 or more")
    if restarts < 1:
        raise UsageError(f"--restarts {restarts} runs nothing; pass 1 or more")
    if restarts > 1 and (start is at_clean or keep == "unseen"):
        reason = "all start from the clean input" if start is at_clean else 'cannot be compared with keep="unseen"'
        raise UsageError(f"--restarts {restarts} {reason}; use 1 restart, or an attack with a random start such as pgd")
