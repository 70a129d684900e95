"""A network that draws perturbations: what it may change, its attack, its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, Unpack

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, conclude
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.generative.files import fill, read, scope_of, write
from rgbdsod.attacks.generative.resnet import ResNet
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import stream
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.tracker import Tracker
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_SLACK = 1e-6


@dataclass(frozen=True)
class Scope:
    """What a perturbation generator was trained for.

    Args:
        kind: "gap" or "advgan".
        channels: of the inputs that it reads, by name.
        eps: the largest Linf radius of the inputs that it may change, by name.
        universal: draws one perturbation from fixed noise, instead of one for each sample from its inputs.
        size: (H, W) of a universal perturbation; other sizes are resized bilinearly.
        seed: of the noise and the first weights.
        width: channels of the network.
        origin: what it was trained on, for the record.
    """

    kind: str
    channels: Mapping[str, int]
    eps: Mapping[str, float]
    universal: bool = False
    size: tuple[int, int] = (128, 128)
    seed: int = 0
    width: int = 48
    origin: Mapping[str, Any] = field(default_factory=dict)


class PerturbationGenerator:
    """A generator of Linf perturbations; called like an attack. Training is `train_generator`.

    Args:
        scope: what it is for.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._out = {name: scope.channels[name] for name in scope.eps}
        channels = sum(scope.channels.values())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(scope.seed)
            self.network = ResNet(channels, sum(self._out.values()), scope.width)
        self._noise = torch.rand((1, channels, *scope.size), generator=stream(scope.seed, "universal noise"))

    def to(self, device: torch.device) -> Self:
        """The generator, moved to a device."""
        self.network.to(device)
        self._noise = self._noise.to(device)
        return self

    def draw(self, inputs: Inputs) -> dict[str, Tensor]:
        """Perturbations in units of the radius, between -1 and 1, by input that it may change."""
        seen = torch.cat([inputs[name].float() for name in self.scope.channels], 1)
        drawn = self.network(2 * (self._noise if self.scope.universal else seen) - 1)
        if self.scope.universal:
            drawn = interpolate(drawn, seen.shape[-2:], mode="bilinear").expand(len(seen), -1, -1, -1)
        return dict(zip(self._out, torch.split(drawn.tanh(), list(self._out.values()), 1), strict=True))

    def points(self, inputs: Inputs, balls: Mapping[str, Ball]) -> dict[str, Tensor]:
        """Perturbed inputs inside their balls: the radius times what is drawn, projected.

        Args:
            inputs: all inputs (B,C,H,W) in [0, 1].
            balls: of the attacked inputs, norm Linf.
        """
        drawn = self.draw(inputs)
        return {
            name: ball.project(torch.addcmul(ball.clean, drawn[name].to(ball.clean), ball.radius))
            for name, ball in balls.items()
        }

    def __call__(self, problem: Problem, inputs: Inputs, threat: Threat, **common: Unpack[Common]) -> Result:
        """One pass through the generator and no gradient, then one forward pass that looks at the result.

        Args:
            problem: what is attacked.
            inputs: all inputs (B,C,H,W) in [0, 1], on the generator's device.
            threat: Linf budgets no larger than those of the training.
            common: see `rgbdsod.attacks.core.Common`.

        Raises:
            UsageError: a threat or inputs that the generator was not trained for.
        """
        kind = self.scope.kind
        check_norms(kind, threat, ("linf",))
        with (
            Engine.open(
                problem, inputs, threat,
                attack=kind, seed=common.get("seed", 0), sample_ids=common.get("sample_ids"),
                precision=common.get("precision", "float32"), knowledge="score",
            ) as engine,
            torch.no_grad(),
        ):  # fmt: skip
            self.check(inputs, engine.balls)
            tracker = Tracker(1, common.get("callback"))
            tracker.begin()
            points = self.points(inputs, engine.balls)
            evaluation = engine.evaluate(points)
            tracker.offer(points, evaluation)
            tracker.note(evaluation)
            return conclude(engine, tracker, inputs, 0)

    def check(self, inputs: Inputs, balls: Mapping[str, Ball]) -> None:
        """Refuse what the generator was not trained for.

        Raises:
            UsageError: inputs that it does not know, or a larger radius.
        """
        reads, size = self.scope.channels, None
        for name, channels in reads.items():
            shape = tuple(inputs[name].shape) if name in inputs else None
            if shape is None or len(shape) != 4 or shape[1] != channels or size not in (None, shape[2:]):
                wanted = ", ".join(f"{key} (B,{count},H,W)" for key, count in reads.items())
                found = ", ".join(f"{key} {tuple(value.shape)}" for key, value in inputs.items())
                raise UsageError(f"generator {self.scope.kind} reads {wanted} of one size, got {found}; train another")
            size = shape[2:]
        self._check_radii({name: float(ball.radius.max()) for name, ball in balls.items()})

    def _check_radii(self, radii: Mapping[str, float]) -> None:
        scope = self.scope
        wrong = [name for name, eps in radii.items() if eps > scope.eps.get(name, 0) * (1 + _SLACK)]
        if wrong:
            served = ", ".join(f"{name} up to {255 * eps:.4g}/255" for name, eps in scope.eps.items())
            asked = f"{255 * max(radii.values()):.4g}/255"
            modality = "both" if len(radii) > 1 else wrong[0]
            raise UsageError(
                f"generator {scope.kind} was trained for {served}, not for {wrong[0]} {255 * radii[wrong[0]]:.4g}/255; "
                f"train one: rgbdsod generator train --kind {scope.kind} --modality {modality} --eps {asked}"
            )

    def save(self, path: str | Path) -> None:
        """Write weights and scope to one .safetensors file, in one step.

        Raises:
            WeightsError: the file cannot be written.
        """
        write(Path(path), self.network, {"family": "perturbation", **asdict(self.scope)})

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """A generator from its file, or a built-in one: "gap" or "advgan".

        Raises:
            WeightsError: the file is missing, damaged, or no perturbation generator.
        """
        state, about = read(source, "perturbation")
        scope = scope_of(Scope, about, source)
        loaded = cls(replace(scope, size=(scope.size[0], scope.size[1])))  # JSON has lists only
        fill(loaded.network, state, source)
        loaded.network.requires_grad_(False)
        return loaded
