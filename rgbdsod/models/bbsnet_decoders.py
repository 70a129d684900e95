"""The decoders of BBS-Net: two cascades, of which the first's map raises what the second reads, and an enlarging tail.

Fan et al., "BBS-Net: RGB-D Salient Object Detection with a Bifurcated Backbone Strategy Network", ECCV 2020.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


class CascadedDecoders(nn.Module):
    """Everything after the encoders: context blocks, both decoders and the tail, under their published names."""

    def add_decoders(self, widths: Sequence[int], width: int, tail_blocks: int) -> None:
        """Build the decoders.

        Args:
            widths: channels of the five features.
            width: channels of the context blocks; the decoders have up to three times as many.
            tail_blocks: residual blocks of each of the two enlarging steps at the end.
        """
        stem, first, second, third, fourth = widths
        self.rfb2_1, self.rfb3_1, self.rfb4_1 = (_Context(c, width) for c in (second, third, fourth))
        self.agg1 = _CoarseDecoder(width)
        self.rfb0_2, self.rfb1_2, self.rfb5_2 = (_Context(c, width) for c in (stem, first, second))
        self.agg2 = _Decoder(width, levels_differ=False)
        self.agant1 = _narrow(3 * width, 2 * width)
        self.deconv1 = _enlarging(2 * width, tail_blocks)
        self.agant2 = _narrow(2 * width, width)
        self.deconv2 = _enlarging(width, tail_blocks)
        self.out2_conv = nn.Conv2d(width, 1, 1)

    def decode(self, fused: list[Tensor]) -> dict[str, Tensor]:
        """Logits "initial" (coarse) and "final", each (B,1,H,W), from five features at strides 4, 4, 8, 16, 32."""
        coarse = self.agg1(self.rfb4_1(fused[4]), self.rfb3_1(fused[3]), self.rfb2_1(fused[2]))
        return {
            "initial": F.interpolate(coarse, scale_factor=8, mode="bilinear", align_corners=True),
            "final": self._refined(fused, torch.sigmoid(coarse)),
        }

    def _refined(self, fused: list[Tensor], gate: Tensor) -> Tensor:
        """Full-size logits from the shallow features, each raised where the coarse map (stride 8) is high.

        The paper's formula multiplies by the gate alone; the authors' network keeps the feature beside it.
        """
        wide = _double(gate)
        shallow = [fused[0] + fused[0] * wide, fused[1] + fused[1] * wide, fused[2] + fused[2] * gate]
        x = self.agg2(self.rfb5_2(shallow[2]), self.rfb1_2(shallow[1]), self.rfb0_2(shallow[0]))
        x = self.deconv1(self.agant1(x))
        logits: Tensor = self.out2_conv(self.deconv2(self.agant2(x)))
        return logits


class _ConvBN(nn.Module):
    """A convolution that keeps the size, and its BatchNorm; no activation follows."""

    def __init__(self, inputs: int, outputs: int, kernel: int | tuple[int, int] = 3, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding="same", dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normalised: Tensor = self.bn(self.conv(x))
        return normalised


class _Context(nn.Module):
    """Global context: four branches of growing reach and a shortcut."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(_ConvBN(inputs, width, 1))
        self.branch1, self.branch2, self.branch3 = (_reaching(inputs, width, reach) for reach in (3, 5, 7))
        self.conv_cat = _ConvBN(4 * width, width)
        self.conv_res = _ConvBN(inputs, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)]
        return F.relu(self.conv_cat(torch.cat(branches, dim=1)) + self.conv_res(x))


class _Decoder(nn.Module):
    """Cascaded decoder: three features, deepest first, multiplied and concatenated on the way up.

    Args:
        width: channels of each feature.
        levels_differ: whether the last feature is twice as large as the second; the second is always twice the first.
    """

    def __init__(self, width: int, *, levels_differ: bool) -> None:
        super().__init__()
        self.conv_upsample1, self.conv_upsample2 = _ConvBN(width, width), _ConvBN(width, width)
        self.conv_upsample3, self.conv_upsample4 = _ConvBN(width, width), _ConvBN(width, width)
        self.conv_upsample5 = _ConvBN(2 * width, 2 * width)
        self.conv_concat2 = _ConvBN(2 * width, 2 * width)
        self.conv_concat3 = _ConvBN(3 * width, 3 * width)
        self.levels_differ = levels_differ

    def forward(self, deep: Tensor, middle: Tensor, shallow: Tensor) -> Tensor:
        """The decoded feature at the size of `shallow`, with three times its channels."""
        raised = _double(deep)
        at_middle = torch.cat([self.conv_upsample1(raised) * middle, self.conv_upsample4(raised)], dim=1)
        product = self.conv_upsample2(self._lift(raised)) * self.conv_upsample3(self._lift(middle)) * shallow
        below = self.conv_upsample5(self._lift(self.conv_concat2(at_middle)))
        decoded: Tensor = self.conv_concat3(torch.cat([product, below], dim=1))
        return decoded

    def _lift(self, x: Tensor) -> Tensor:
        """From the middle feature's size to the shallow one's."""
        return _double(x) if self.levels_differ else x


class _CoarseDecoder(_Decoder):
    """The decoder of the three deep features, which ends in one logit per pixel."""

    def __init__(self, width: int) -> None:
        super().__init__(width, levels_differ=True)
        self.conv4 = _ConvBN(3 * width, 3 * width)
        self.conv5 = nn.Conv2d(3 * width, 1, 1)

    def forward(self, deep: Tensor, middle: Tensor, shallow: Tensor) -> Tensor:
        logits: Tensor = self.conv5(self.conv4(super().forward(deep, middle, shallow)))
        return logits


class _EnlargingBlock(nn.Module):
    """A residual block that doubles the size by transposed convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        shortcut = nn.ConvTranspose2d(width, width, 2, stride=2, bias=False)
        self.upsample = nn.Sequential(shortcut, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.upsample(x))


def _reaching(inputs: int, width: int, reach: int) -> nn.Sequential:
    """A branch of the context block: a separable convolution of size `reach`, then one dilated by `reach`."""
    return nn.Sequential(
        _ConvBN(inputs, width, 1),
        _ConvBN(width, width, (1, reach)),
        _ConvBN(width, width, (reach, 1)),
        _ConvBN(width, width, 3, dilation=reach),
    )


def _narrow(inputs: int, outputs: int) -> nn.Sequential:
    """A 1x1 convolution with BatchNorm and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _enlarging(width: int, blocks: int) -> nn.Sequential:
    """Residual blocks, the last of which doubles the size."""
    return nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks - 1)), _EnlargingBlock(width))


def _double(x: Tensor) -> Tensor:
    """Twice the height and width, bilinear with aligned corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
