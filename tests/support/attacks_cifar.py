"""The published CIFAR-10 ResNets of the reference data, and images that they get right."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FILES = {20: "resnet20-12fca82f.th", 32: "resnet32-d509ac18.th", 56: "resnet56-4bfd9763.th"}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Block(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.stride, self.widen = (2 if width > before > 3 else 1), width - before
        self.conv1 = nn.Conv2d(before, width, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.widen:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.widen // 2, self.widen // 2))
        return F.relu(x + y)


class ResNet(nn.Module):
    """He et al.'s network for 32x32 pictures, its shortcuts without weights."""

    inputs = ("image",)

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.name = f"resnet{depth}"
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        widths = (16, 16, 32, 64)
        for stage in (1, 2, 3):
            blocks = [_Block(widths[stage - 1], widths[stage])]
            blocks += [_Block(widths[stage], widths[stage]) for _ in range((depth - 2) // 6 - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        x = F.relu(self.bn1(self.conv1((inputs["image"] - self.mean) / self.std)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def resnet(shared: Path, depth: int) -> ResNet:
    """A trained network, in evaluation mode."""
    path = shared / "data" / "weights" / "cifar10_resnet" / _FILES[depth]
    state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    network = ResNet(depth)
    network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    return network.eval()


@torch.no_grad()
def images(shared: Path, count: int, *networks: ResNet) -> tuple[dict[str, Tensor], Tensor]:
    """The first test images that all networks get right, and their labels."""
    with np.load(shared / "data" / "cifar10_subset" / "cifar10_subset.npz") as file:
        order = np.random.default_rng(0).permutation(len(file["y_test"]))[: 3 * count]
        pictures, labels = file["x_test"][order], torch.from_numpy(file["y_test"][order])
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    right = torch.stack([network({"image": x}).argmax(1) == labels for network in networks]).all(0)
    index = right.nonzero().flatten()[:count]
    return {"image": x[index].contiguous()}, labels[index]
