"""The classifiers: small ResNets trained on CIFAR-10, or a ResNet-18 with random weights."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu
from torchvision.models import resnet18

DEPTHS = {"resnet20": 3, "resnet32": 5, "resnet56": 9}
CLASSIFIERS = (*DEPTHS, "resnet18")


class Block(nn.Module):
    """Two convolutions beside a shortcut without weights: subsampled, and padded with empty channels."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.empty = stride, out - channels

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        if self.empty:
            half = self.empty // 2
            x = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.empty - half))
        return relu(y + x)


class CifarResNet(nn.Module):
    """The ResNet of He et al. for 32 x 32 images, section 4.2 (arXiv 1512.03385), option A."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, (channels, out) in enumerate(((16, 16), (16, 32), (32, 64)), start=1):
            first = Block(channels, out, 1 if stage == 1 else 2)
            self.add_module(f"layer{stage}", nn.Sequential(first, *(Block(out, out, 1) for _ in range(blocks - 1))))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,10)."""
        x = relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3):
            x = stage(x)
        return self.linear(x.mean((2, 3)))


class Normalised(nn.Module):
    """A network behind the mean and standard deviation that it was trained with; its input is in [0, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images in [0, 1]."""
        return self.network((x - self.mean) / self.std)


def classifier(name: str, data: Path) -> nn.Module:
    """A network in eval mode: trained where its weights are under `data`, else random."""
    torch.manual_seed(0)
    if name == "resnet18":
        return Normalised(resnet18(num_classes=10)).eval()
    network = CifarResNet(DEPTHS[name])
    found = sorted((data / "weights" / "cifar10_resnet").glob(f"{name}-*.th"))
    if found:
        state = torch.load(found[0], map_location="cpu", weights_only=True)["state_dict"]
        network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    return Normalised(network).eval()
