"""The classification networks that JL-DCF sends both inputs through, changed so that the last stage keeps stride 16.

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

    def __call__(self, x: Tensor) -> list[Tensor]:
        """The side outputs of normalised images (B,3,H,W)."""
        ...


def _dilate(conv: nn.Conv2d) -> None:
    """Let a 3x3 convolution see as far as it would after one more halving of the size."""
    conv.stride, conv.dilation, conv.padding = (1, 1), (2, 2), (2, 2)


class SiameseResNet(ResNet):  # type: ignore[misc]
    """ResNet in Caffe's style: a stage's first 1x1 convolution carries its stride; the last stage is dilated.

    Args:
        blocks: bottleneck blocks of the four stages: (3, 4, 23, 3) is ResNet-101, (3, 4, 6, 3) ResNet-50.
    """

    widths = (64, 256, 512, 1024, 2048)

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__(Bottleneck, list(blocks), num_classes=1)
        del self.fc, self.avgpool
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=0, ceil_mode=True)
        for stage in (self.layer2, self.layer3):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        for block in self.layer4:
            _dilate(block.conv2)
        self.layer4[0].downsample[0].stride = (1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Five side outputs at strides 2, 4, 8, 16, 16 of normalised images (B,3,H,W)."""
        taps = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(taps[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            taps.append(x)
        return taps


class SiameseVGG16(nn.Module):
    """The convolutions of VGG-16; the last pool keeps the size. Its first tap has full resolution."""

    widths = (64, 128, 256, 512, 512, 512)
    taps = (3, 8, 15, 22, 29, 30)

    def __init__(self) -> None:
        super().__init__()
        self.layers = make_layers(cfgs["D"])
        self.layers[-1] = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Six side outputs at strides 1, 2, 4, 8, 16, 16 of normalised images (B,3,H,W)."""
        taps = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                taps.append(x)
        return taps


class SiameseDenseNet161(DenseNet):  # type: ignore[misc]
    """DenseNet-161 whose third transition keeps the size and whose fourth block is dilated.

    The classifier is in the published checkpoints and therefore here; nothing uses it.
    """

    widths = (96, 384, 768, 2112, 2208)

    def __init__(self) -> None:
        super().__init__(growth_rate=48, block_config=(6, 12, 36, 24), num_init_features=96)
        self.features.transition3.pool = nn.AvgPool2d(3, stride=1, padding=1)
        for layer in self.features.denseblock4.values():
            _dilate(layer.conv2)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Five side outputs at strides 2, 4, 8, 16, 16 of normalised images (B,3,H,W)."""
        taps = []
        for name, layer in self.features.named_children():
            x = layer(x)
            if name in ("relu0", "denseblock1", "denseblock2", "denseblock3", "norm5"):
                taps.append(x)
        return taps
