"""The health checks fire on models with masked gradients, and on no sound one."""

import pytest
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import gains, middle, scene, toy, weights
from torch import Tensor

from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.attacks.checks.health import health
from rgbdsod.errors import UsageError

THREAT = {"rgb": Budget(eps=8 / 255), "depth": Budget(eps=32 / 255)}


def failed(checks) -> set[str]:
    return {check.name for check in checks if not check.passed}


@pytest.mark.parametrize("threat", [THREAT, {"depth": Budget(eps=32 / 255)}, {"rgb": Budget("l2", 1.0)}])
def test_a_sound_network(threat):
    problem, inputs = toy()
    checks = health(problem, inputs, threat, settings={"steps": 40})
    assert len(checks) == 12
    assert failed(checks) <= ({"the whole range fools all"} if len(threat) == 1 else set())
    assert all(check.advice == "" for check in checks if check.passed)


def test_a_linear_model():
    w, inputs = weights(4), middle(4)
    best = sum(0.2 * weight.abs().flatten(1).sum(1) for weight in w.values())
    problem = gains(w, threshold=best)
    assert not failed(health(problem, inputs, {name: Budget(eps=0.05) for name in w}))


class Rounded(Saliency):
    """Rounds its inputs as a defence would, with a made-up slope: gradients arrive, but they are not the model's."""

    def encode(self, name: str, x: Tensor) -> Tensor:
        return super().encode(name, _Staircase.apply(x))


class _Staircase(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x * 4).round() / 4

    @staticmethod
    def backward(ctx, grad):
        return grad * torch.sin(1e4 * grad)


class Saturated(Saliency):
    """Scores so large that their sigmoid is exactly 0 or 1, cut where a defence hides the slope."""

    def fuse(self, features, size):
        return 60 * torch.tanh(1e6 * super().fuse(features, size))


class Random(Saliency):
    """Answers differently each time."""

    def fuse(self, features, size):
        out = super().fuse(features, size)
        return out + 2 * torch.randn(out.shape, generator=torch.Generator().manual_seed(self.fused))


@pytest.mark.parametrize(
    ("network", "names"),
    [
        (Rounded, {"gradients agree with finite differences"}),
        (Saturated, {"gradients are not 0"}),
        (Random, {"two identical passes agree"}),
    ],
)
def test_masked_gradients(network, names):
    inputs, masks = scene()
    found = failed(health(MapProblem(seeded(network()), masks), inputs, THREAT, settings={"steps": 10}))
    assert names <= found


def test_too_few_steps_and_too_small_ones():
    problem, inputs = toy()
    checks = health(problem, inputs, THREAT, settings={"steps": 3, "step_size": 0.5 / 255, "random_start": False})
    assert "the loss has levelled off" in failed(checks)
    advice = next(check.advice for check in checks if check.name == "the loss has levelled off")
    assert "raise --steps" in advice


def test_transfer():
    problem, inputs = toy()
    other = MapProblem(seeded(Saliency(), 5), scene()[1])
    checks = health(problem, inputs, THREAT, settings={"steps": 10}, surrogate=other)
    assert checks[-1].name.startswith("transfer")
    assert checks[-1].passed
    blind = MapProblem(seeded(Saturated()), scene()[1])
    assert not health(blind, inputs, THREAT, settings={"steps": 10}, surrogate=problem)[-1].passed


@pytest.mark.parametrize("attack", ["noise", "ddn", "fgsm"])
def test_attacks_of_other_kinds(attack):
    problem, inputs = toy()
    threat = {"depth": Budget("l2", 20.0)} if attack == "ddn" else THREAT
    checks = health(problem, inputs, threat, attack=attack)
    assert {check.name for check in checks} >= {"the budget holds", "gradients are not 0"}


def test_nothing_to_check():
    problem, inputs = toy()
    with pytest.raises(UsageError, match="no input may change"):
        health(problem, inputs, {"rgb": Budget(eps=0.0)})
