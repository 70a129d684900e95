"""A universal noise in the making: batches in a seeded order, the noise within its radius, passes counted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import stream
from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.attacks.universal.radius import bounded, check_budgets
from rgbdsod.attacks.universal.sizing import check_sizing, pulled_back, sized
from rgbdsod.errors import UsageError
from rgbdsod.types import Callback, Inputs


class Batch(NamedTuple):
    """Some samples; a plain tuple (problem, inputs) does too.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        masks: by input, 1 where this batch may change, besides the budget's own mask.
    """

    problem: Problem
    inputs: Inputs
    masks: Mapping[str, Tensor] | None = None


Batches = Iterable[Batch | tuple[Problem, Inputs]]
"""A sequence may read each batch when it is asked for; any other iterable is read once and kept."""


class Fit(TypedDict, total=False):
    """What every fit takes besides its own parameters.

    size: (H, W) of the noise; the first batch's.
    sizing: what becomes of it on inputs of another size: "resize" (bilinear), "tile" or "fixed" ("resize").
    seed: of the order of the batches (0).
    callback: called with (batches done, batches in all).
    precision: "float32", or what the network runs in under autocast: "bfloat16", "float16".
    """

    size: tuple[int, int] | None
    sizing: str
    seed: int
    callback: Callback | None
    precision: str


class Fitting:
    """The state of a fit.

    Args:
        batches: what the noise is fitted on.
        threat: budgets by input, norm "linf" or "l2", one radius each.
        attack: the attack's name.
        epochs: how often each batch is visited at most.
        fit: see `Fit`.

    Attributes:
        noise: by attacked input, (1, ...).
        budgets: of the attacked inputs.
        precision: what the network runs in.

    Raises:
        UsageError: no batches, no epochs, nothing that may change, or a budget that a universal noise cannot have.
    """

    def __init__(self, batches: Batches, threat: Threat, *, attack: str, epochs: int, fit: Fit) -> None:
        self._batches = batches if isinstance(batches, Sequence) else list(batches)
        self.budgets = {name: budget for name, budget in threat.items() if not budget.empty}
        self._attack, self._epochs, self._seed = attack, epochs, fit.get("seed", 0)
        self._sizing, self.precision = fit.get("sizing", "resize"), fit.get("precision", "float32")
        self._callback = fit.get("callback")
        self._done = self._forward = self._backward = 0
        self._check(threat)
        first = Batch(*self._batches[0]).inputs
        self.noise = {name: _nothing(first, name, fit.get("size")) for name in self.budgets}

    def shuffled(self, epoch: int) -> Iterator[Batch]:
        """All batches, in this epoch's order."""
        order = torch.randperm(len(self._batches), generator=stream(self._seed, self._attack, epoch))
        for at in order.tolist():
            yield Batch(*self._batches[at])
            self._done += 1
            if self._callback is not None:
                self._callback(self._done, self._epochs * len(self._batches))

    @contextmanager
    def open(self, batch: Batch) -> Iterator[tuple[Engine, dict[str, Tensor]]]:
        """An engine for one batch, whose passes count, and the batch's inputs under the noise."""
        threat = {name: replace(of, mask=_both(of.mask, batch.masks, name)) for name, of in self.budgets.items()}
        with Engine.open(
            batch.problem, batch.inputs, threat, attack=self._attack, seed=self._seed, sample_ids=None,
            precision=self.precision,
        ) as engine:  # fmt: skip
            points = {}
            for name, ball in engine.balls.items():
                points[name] = ball.project(ball.clean + sized(self.noise[name], ball.clean, self._sizing))
            yield engine, points
            self.count(*engine.passes())

    def count(self, forward: Tensor, backward: Tensor) -> None:
        """Add passes, (B,) each."""
        self._forward += int(forward.sum())
        self._backward += int(backward.sum())

    def pulled(self, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gradients of a batch (B, ...) as the gradient of the noise (1, ...): their sum."""
        total = {name: value.sum(0, keepdim=True) for name, value in gradients.items()}
        return {name: pulled_back(value, self.noise[name], self._sizing) for name, value in total.items()}

    def brought(self, changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Changes of a batch (B, ...) as a change of the noise (1, ...): their sum, at the noise's size."""
        total = self.pulled(changes)
        weights = self.pulled({name: torch.ones_like(value[:1]) for name, value in changes.items()})
        return {name: value / weights[name].clamp_min(1e-6) for name, value in total.items()}

    @torch.no_grad()
    def rate(self) -> float:
        """The share of all samples that the noise fools; one forward pass each."""
        fooled, samples = 0, 0
        for batch in self._batches:
            with self.open(Batch(*batch)) as (engine, points):
                found = engine.decide(points)
            fooled, samples = fooled + int(found.sum()), samples + len(found)
        return fooled / samples

    def add(self, changes: Mapping[str, Tensor]) -> None:
        """Move the noise, and bring it back within its radius."""
        for name, change in changes.items():
            self.noise[name] = bounded(self.noise[name] + change, self.budgets[name])

    def result(self, **facts: Any) -> Universal:
        """The noise, and what it cost: passes summed over samples."""
        own: dict[str, Any] = {
            "attack": self._attack,
            "seed": self._seed,
            "forward": self._forward,
            "backward": self._backward,
        }
        own["sizes"] = {name: list(noise.shape[1:]) for name, noise in self.noise.items()}
        budgets = {name: replace(budget, mask=None) for name, budget in self.budgets.items()}
        return Universal(self.noise, budgets, self._sizing, {**own, **facts})

    def _check(self, threat: Threat) -> None:
        check_budgets(threat)
        check_sizing(self._sizing)
        if not self.budgets:
            raise UsageError("no input has a radius above 0, so no noise can be fitted; pass one, for example 8/255")
        if self._epochs < 1:
            raise UsageError(f"--epochs {self._epochs} fits nothing; pass 1 or more")
        if not len(self._batches):
            raise UsageError("there are no batches to fit a noise on; pass at least one (problem, inputs)")


def _nothing(inputs: Inputs, name: str, size: tuple[int, int] | None) -> Tensor:
    """A noise of 0 for one input."""
    if name not in inputs:
        raise UsageError(f"--modality {name}: the batches have inputs {', '.join(inputs)}")
    value = inputs[name].detach()
    shape = value.shape[1:] if size is None else (*value.shape[1:-2], *size)
    return torch.zeros(
        (1, *shape), dtype=torch.float64 if value.dtype == torch.float64 else torch.float32, device=value.device
    )


def _both(own: Tensor | None, masks: Mapping[str, Tensor] | None, name: str) -> Tensor | None:
    """What budget and batch both allow."""
    more = (masks or {}).get(name)
    if own is None or more is None:
        return more if own is None else own
    return own.to(more) * more
