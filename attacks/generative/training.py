"""Training of a perturbation generator against frozen networks: GAP's and AdvGAN's losses."""

import random
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.door import check_counts, check_inputs, check_norms
from rgbdsod.attacks.generative.files import settle
from rgbdsod.attacks.generative.perturbation import PerturbationGenerator, Scope
from rgbdsod.attacks.generative.resnet import PatchCritic
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.problem import Problem, frozen
from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.types import Callback, Inputs

Kind = Literal["gap", "advgan"]

_RATE = 2e-3  # ten times the papers', which train for ten times as long
_BETAS = (0.5, 0.999)
_SMALLEST = 0.25  # share of the radius: each step draws one from here to 1, so that smaller radii work too
_LOOK = 0.05  # weight of AdvGAN's critic
_HINGE = 1.0  # weight of AdvGAN's bound on the perturbation's length, c_h
_FREE = 0.7  # the length that costs nothing, c, as a share of the longest perturbation


def train_generator(
    batches: Iterable[tuple[Problem, Inputs]],
    threat: Threat,
    *,
    kind: Kind = "gap",
    universal: bool = False,
    steps: int = 500,
    seed: int = 0,
    callback: Callback | None = None,
) -> PerturbationGenerator:
    """Train a generator of perturbations: one forward and backward pass of the target a step.

    Each step attacks a random choice of the threat's inputs at a random share of their radii, so that one generator
    serves each input alone, all together, and smaller radii.

    Args:
        batches: problems with their inputs (B,C,H,W) in [0, 1], one for each step; the generator reads all inputs.
        threat: Linf budgets of the inputs that it may change; `eps` is the largest radius that it will serve.
        kind: "gap" raises the objective alone; "advgan" also fools a critic and keeps the perturbation short.
        universal: one perturbation for all samples, drawn from fixed noise.
        steps: how many.
        seed: of first weights, noise and choices.
        callback: called with (steps done, steps in all).

    Raises:
        UsageError: unknown kind, another norm than Linf, radii that are tensors, fewer batches than steps.
        RgbdsodError: the loss is not finite.

    Source: GAP: arXiv 1712.02328, section 3. AdvGAN: arXiv 1801.02610, equation 4.
    """
    _check(kind, threat, steps)
    training: _Training | None = None
    done = 0
    for done, (problem, inputs) in enumerate(batches, 1):
        check_inputs(problem, inputs, threat)
        if training is None:
            training = _Training(_scope(kind, threat, inputs, universal, seed), inputs, steps)
        training.step(problem, inputs)
        if callback is not None:
            callback(done, steps)
        if done == steps:
            break
    if training is None or done < steps:
        raise UsageError(f"there were {done} batches for {steps} steps; pass one batch for each step")
    return training.result()


class _Training:
    """Generator, critic and their optimizers."""

    def __init__(self, scope: Scope, inputs: Inputs, steps: int) -> None:
        device = next(iter(inputs.values())).device
        self.generator = PerturbationGenerator(scope).to(device)
        self.critic = _critic(scope).to(device) if scope.kind == "advgan" else None
        self.draw = random.Random(scope.seed)
        modules = [self.generator.network, *([] if self.critic is None else [self.critic])]
        self.optimizers = [torch.optim.Adam(module.parameters(), _RATE, _BETAS) for module in modules]
        self.schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, steps) for each in self.optimizers]

    def step(self, problem: Problem, inputs: Inputs) -> None:
        """One batch."""
        inputs = {name: value.detach().float() for name, value in inputs.items()}
        balls = {name: ball(inputs[name], Budget(eps=eps)) for name, eps in self._radii().items()}
        with frozen(*problem.modules):
            points = self.generator.points(inputs, balls)
            fixed = {name: value for name, value in inputs.items() if name not in points}
            target = problem.given(fixed) if fixed else problem
            loss = -target.loss(target.forward(points)).mean()
            if self.critic is not None:
                lengths = [((points[name] - inputs[name]) / ball.radius).flatten(1) for name, ball in balls.items()]
                loss = loss + self._manners(self.critic, self._image({**inputs, **points}), torch.cat(lengths, 1))
            _descend(self.optimizers[0], loss)
        if self.critic is not None:
            fake, real = (self._image(images).detach() for images in ({**inputs, **points}, inputs))
            _descend(self.optimizers[1], (softplus(self.critic(fake)) + softplus(-self.critic(real))).mean())
        for schedule in self.schedules:
            schedule.step()

    def result(self) -> PerturbationGenerator:
        """The trained generator, as its file would have it."""
        if not all(bool(torch.isfinite(weight).all()) for weight in self.generator.network.parameters()):
            raise RgbdsodError("the generator's training broke down (a loss was not finite); check the target's loss")
        settle(self.generator.network)
        self.generator.network.requires_grad_(False)
        return self.generator

    def _radii(self) -> dict[str, float]:
        """Some of the inputs, each alone as likely as all together, at a share of their radii."""
        eps = self.generator.scope.eps
        choices = [[name] for name in eps] + ([list(eps)] if len(eps) > 1 else [])
        share = _SMALLEST ** self.draw.random()
        return {name: share * eps[name] for name in self.draw.choice(choices)}

    def _manners(self, critic: PatchCritic, fake: Tensor, change: Tensor) -> Tensor:
        """AdvGAN's other terms: look like an image, and stay short."""
        length = change.square().mean(1).sqrt()
        return _LOOK * softplus(-critic(fake)).mean() + _HINGE * (length - _FREE).clamp_min(0).mean()

    def _image(self, inputs: Inputs) -> Tensor:
        return torch.cat([inputs[name] for name in self.generator.scope.channels], 1)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _critic(scope: Scope) -> PatchCritic:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(scope.seed + 1)
        return PatchCritic(sum(scope.channels.values()))


def _scope(kind: Kind, threat: Threat, inputs: Inputs, universal: bool, seed: int) -> Scope:
    channels = {name: value.shape[1] for name, value in inputs.items()}
    height, width = next(iter(inputs.values())).shape[-2:]
    eps = {name: float(budget.eps) for name, budget in threat.items()}
    return Scope(kind, channels, eps, universal, (height, width), seed)


def _check(kind: str, threat: Mapping[str, Budget], steps: int) -> None:
    if kind not in get_args(Kind):
        raise UsageError(f'no kind "{kind}" of perturbation generator; kinds are {", ".join(get_args(Kind))}')
    check_counts(steps=steps)
    check_norms(kind, threat, ("linf",))
    if not threat:
        raise UsageError("the threat names no input; name one or more, each with its budget")
    for name, budget in threat.items():
        if isinstance(budget.eps, Tensor) or budget.empty:
            raise UsageError(f"a generator is trained for one radius above 0, a number; {name} has {budget.eps}")
