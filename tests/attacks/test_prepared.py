"""A prepared copy gives the network's outputs, and folds nothing that would change them."""

import pytest
import torch
import torchvision
from torch import nn

from rgbdsod.attacks.prepared import prepare
from rgbdsod.errors import UsageError
from rgbdsod.models import load_model


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def restless(network: nn.Module) -> nn.Module:
    """Statistics that are not those of a fresh BatchNorm."""
    generator = torch.Generator().manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.copy_(torch.randn(part.num_features, generator=generator))
            part.running_var.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
    return network.eval()


def test_a_classifier_loses_all_its_norms():
    network, x = restless(torchvision.models.resnet18()), torch.rand(2, 3, 64, 64)
    ready = prepare(network, lambda one: one(x))
    assert (norms(network), norms(ready)) == (20, 0)
    with torch.no_grad():
        assert torch.allclose(ready(x), network(x), rtol=1e-3, atol=1e-4)
    assert not any(weight.requires_grad for weight in ready.parameters())
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("name", ["bbsnet", "jldcf", "d3net"])
def test_built_in_networks(name):
    # In float64: in float32 rounding turns a ReLU here and there, and with it a gradient that is right.
    model = load_model(name, device="cpu").double()
    drawn = torch.Generator().manual_seed(0)
    inputs = {key: torch.rand(1, n, 96, 96, generator=drawn).double() for key, n in (("rgb", 3), ("depth", 1))}
    ready = prepare(model, lambda one: one(**inputs))
    assert norms(ready) < 0.1 * norms(model)
    points = [{name: x.clone().requires_grad_() for name, x in inputs.items()} for _ in range(2)]
    slopes = [
        torch.autograd.grad(one(**at).sum(), list(at.values())) for one, at in zip((model, ready), points, strict=True)
    ]
    for own, quick in zip(*slopes, strict=True):
        assert (own - quick).norm() < 1e-9 * own.norm()


class Shared(nn.Module):
    """One convolution whose output two layers read, one that is called twice, one before a BatchNorm in a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.two, self.norm, self.other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)
        self.again, self.after = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.two(x)
        y = self.norm(y) + self.other(y)
        return self.after(self.again(self.again(y)))


def test_what_is_shared_is_not_folded():
    network, x = restless(Shared()), torch.rand(2, 3, 8, 8)
    ready = prepare(network, lambda one: one(x))
    assert norms(ready) == 2
    assert torch.allclose(ready(x), network(x))


class Hidden(nn.Module):
    """Reads a convolution's output where no layer sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + y


def test_a_copy_that_differs_is_refused():
    network, x = restless(Hidden()), torch.rand(2, 3, 8, 8)
    with pytest.raises(UsageError, match="the prepared network's outputs differ by"):
        prepare(network, lambda one: one(x))
    assert norms(network) == 1
