"""The two tiny networks of golden/README-attacks.md, and networks that watch how they are used."""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


class Classifier(nn.Module):
    """Three input channels, 12x12, ten classes."""

    inputs = ("image",)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(576, 10)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        x = silu(self.conv2(silu(self.conv1(4 * inputs["image"] - 2))))
        return 6 * self.fc(x.flatten(1))


class Saliency(nn.Module):
    """RGB and depth, one logit per pixel; in two stages, and it counts them."""

    inputs = ("rgb", "depth")
    name = "toy"

    def __init__(self) -> None:
        super().__init__()
        self.rgb = nn.Conv2d(3, 8, 3, padding=1)
        self.depth = nn.Conv2d(1, 8, 3, padding=1)
        self.mix = nn.Conv2d(16, 8, 3, padding=1)
        self.out = nn.Conv2d(8, 1, 1)
        self.encoded = {"rgb": 0, "depth": 0}
        self.fused = 0

    def encode(self, name: str, x: Tensor) -> Tensor:
        self.encoded[name] += 1
        return silu(getattr(self, name)(4 * x - 2))

    def fuse(self, features: dict[str, Tensor], size: tuple[int, int]) -> Tensor:
        self.fused += 1
        assert features["rgb"].shape[-2:] == size
        return 10 * self.out(silu(self.mix(torch.cat([features["rgb"], features["depth"]], dim=1))))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.fuse({name: self.encode(name, inputs[name]) for name in self.inputs}, inputs["rgb"].shape[-2:])


class Pair(nn.Module):
    """RGB and depth, four classes."""

    inputs = ("rgb", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.score = nn.Linear(8 * 64, 4)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        together = torch.cat([inputs["rgb"], inputs["depth"]], 1)
        return 6 * self.score(silu(self.mix(4 * together - 2)).flatten(1))


def filled(network: nn.Module, shared: Path) -> nn.Module:
    """The network with the reference data's deterministic weights, in float64."""
    spec = importlib.util.spec_from_file_location("fill", shared / "golden" / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill(network).double()


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random weights of its own seed, in eval mode; the global generator is left alone."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            scale = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.1
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
    return network.eval()
