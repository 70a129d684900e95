"""The classification networks that JL-DCF sends both inputs through, changed so that the last stage keeps stride 16.

Each can be run step by step, from one side output to the next.

Source: Fu et al., "JL-DCF: Joint Learning and Densely-Cooperative Fusion" (CVPR 2020, arXiv 2004.08515), section 3.2.
"""

from typing import Protocol

from torch import Tensor, nn
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.models.vgg import cfgs, make_layers


class Backbone(Protocol):
    """Side outputs of one network, from fine to coarse; the last two have stride 16."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each side output."""
        ...

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels per pixel of each side output."""
        ...

    def step(self, index: int, x: Tensor) -> Tensor:
        """Side output `index` from the one before it, from normalised images (B,3,H,W) for the first."""
        ...


def _side_outputs(backbone: Backbone, x: Tensor) -> list[Tensor]:
    found = []
    for index in range(len(backbone.widths)):
        x = backbone.step(index, x)
        found.append(x)
    return found


def _dilate(conv: nn.Conv2d) -> None:
    """Let a 3x3 convolution see as far as it would after one more halving of the size."""
    conv.stride, conv.dilation, conv.padding = (1, 1), (2, 2), (2, 2)


class SiameseResNet(ResNet):  # type: ignore[misc]
    """ResNet in Caffe's style: a stage's first 1x1 convolution carries its stride; the last stage is dilated.

    Args:
        blocks: bottleneck blocks of the four stages: (3, 4, 23, 3) is ResNet-101, (3, 4, 6, 3) ResNet-50.
    """

    widths = (64, 256, 512, 1024, 2048)
    strides = (2, 4, 8, 16, 16)

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__(Bottleneck, list(blocks), num_classes=1)
        del self.fc, self.avgpool
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=0, ceil_mode=True)
        for stage in (self.layer2, self.layer3):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        for block in self.layer4:
            _dilate(block.conv2)
        self.layer4[0].downsample[0].stride = (1, 1)

    def step(self, index: int, x: Tensor) -> Tensor:
        """Side output `index` (0 to 4) from the one before it, from normalised images (B,3,H,W) for the first."""
        if index == 0:
            x = self.relu(self.bn1(self.conv1(x)))
        else:
            x = getattr(self, f"layer{index}")(self.maxpool(x) if index == 1 else x)
        return x

    def forward(self, x: Tensor) -> list[Tensor]:
        """All side outputs of normalised images (B,3,H,W)."""
        return _side_outputs(self, x)


class SiameseVGG16(nn.Module):
    """The convolutions of VGG-16; the last pool keeps the size. Its first tap has full resolution."""

    widths = (64, 128, 256, 512, 512, 512)
    strides = (1, 2, 4, 8, 16, 16)
    taps = (3, 8, 15, 22, 29, 30)

    def __init__(self) -> None:
        super().__init__()
        self.layers = make_layers(cfgs["D"])
        self.layers[-1] = nn.MaxPool2d(3, stride=1, padding=1)

    def step(self, index: int, x: Tensor) -> Tensor:
        """Side output `index` (0 to 5) from the one before it, from normalised images (B,3,H,W) for the first."""
        first = self.taps[index - 1] + 1 if index else 0
        for layer in self.layers[first : self.taps[index] + 1]:
            x = layer(x)
        return x

    def forward(self, x: Tensor) -> list[Tensor]:
        """All side outputs of normalised images (B,3,H,W)."""
        return _side_outputs(self, x)


class SiameseDenseNet161(DenseNet):  # type: ignore[misc]
    """DenseNet-161 whose third transition keeps the size and whose fourth block is dilated.

    The classifier is in the published checkpoints and therefore here; nothing uses it.
    """

    widths = (96, 384, 768, 2112, 2208)
    strides = (2, 4, 8, 16, 16)
    taps = ("relu0", "denseblock1", "denseblock2", "denseblock3", "norm5")

    def __init__(self) -> None:
        super().__init__(growth_rate=48, block_config=(6, 12, 36, 24), num_init_features=96)
        self.features.transition3.pool = nn.AvgPool2d(3, stride=1, padding=1)
        for layer in self.features.denseblock4.values():
            _dilate(layer.conv2)

    def step(self, index: int, x: Tensor) -> Tensor:
        """Side output `index` (0 to 4) from the one before it, from normalised images (B,3,H,W) for the first."""
        names = [name for name, _ in self.features.named_children()]
        first = names.index(self.taps[index - 1]) + 1 if index else 0
        for name in names[first : names.index(self.taps[index]) + 1]:
            x = getattr(self.features, name)(x)
        return x

    def forward(self, x: Tensor) -> list[Tensor]:
        """All side outputs of normalised images (B,3,H,W)."""
        return _side_outputs(self, x)
