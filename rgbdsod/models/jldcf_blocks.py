"""The parts of JL-DCF: joint learning, feature aggregation, score, and the densely connected decoder.

Source: Fu et al., "JL-DCF: Joint Learning and Densely-Cooperative Fusion" (CVPR 2020, arXiv 2004.08515), section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from rgbdsod.models.siamese_backbones import Backbone


@dataclass(frozen=True)
class Compression:
    """How one level is compressed: two convolutions to `width`, then a 3x3 convolution to the decoder's width."""

    width: int
    kernel: int
    dilation: int = 1


PAPER_COMPRESSION = (
    Compression(128, 3),
    Compression(128, 3),
    Compression(256, 5),
    Compression(256, 5),
    Compression(512, 5),
    Compression(512, 7, dilation=2),
)


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1, norm: bool = False) -> list[nn.Module]:
    """A convolution that keeps the size, normalised on request, and ReLU."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation)
    return [conv, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


class JointLearning(nn.Module):
    """What each input goes through alone, with the same weights: backbone, full-resolution level, compression.

    Args:
        backbone: side outputs for levels 2 to 6, or for all six.
        compressions: one for each of the six levels.
        width: channels of the compressed maps.
        full_width: channels of the full-resolution level, for a backbone that has none; else None.
        norm: normalise after each convolution, so that training from scratch converges.
    """

    def __init__(
        self, backbone: Backbone, compressions: Sequence[Compression], width: int, full_width: int | None, norm: bool
    ) -> None:
        super().__init__()
        self.backbone = backbone
        channels, strides = backbone.widths, backbone.strides
        if full_width is not None:
            self.vgg_conv1 = nn.Sequential(
                *_conv(3, full_width, 3, norm=norm), *_conv(full_width, full_width, 3, norm=norm)
            )
            channels, strides = (full_width, *channels), (1, *strides)
        self.has_full_level = full_width is not None
        self.strides = strides
        self.CP = nn.ModuleList(
            nn.Sequential(
                *_conv(inputs, c.width, c.kernel, c.dilation, norm),
                *_conv(c.width, c.width, c.kernel, c.dilation, norm),
                *_conv(c.width, width, 3, norm=norm),
            )
            for inputs, c in zip(channels, compressions, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Six compressed maps at strides 1, 2, 4, 8, 16, 16 of normalised images (B,3,H,W)."""
        return self.compress(self.taps(x, len(self.strides)))

    def taps(self, x: Tensor, count: int, *, full: bool = True) -> list[Tensor]:
        """The maps of the first `count` levels before compression; the full-resolution level only if wanted."""
        found: list[Tensor] = []
        beside = int(self.has_full_level)
        if beside and full:
            found.append(self.vgg_conv1(x))
        for index in range(count - beside):
            x = self.backbone.step(index, x)
            found.append(x)
        return found

    def taps_from(self, level: int, x: Tensor) -> list[Tensor]:
        """The maps of the levels from `level` on, of which `x` is the first."""
        found = [x]
        for index in range(level + 1 - self.has_full_level, len(self.backbone.widths)):
            found.append(self.backbone.step(index, found[-1]))
        return found

    def compress(self, taps: Sequence[Tensor], first: int = 0) -> list[Tensor]:
        """The compressed maps of the levels from `first` on."""
        return [self.CP[first + place](tap) for place, tap in enumerate(taps)]


class FeatureAggregation(nn.Module):
    """Four branches with different receptive fields, a quarter of the channels each, concatenated (section 3.3)."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        quarter, half = width // 4, width // 2
        self.conv_branch1 = nn.Sequential(*_conv(width, quarter, 1, norm=norm))
        self.conv_branch2 = nn.Sequential(*_conv(width, half, 1, norm=norm), *_conv(half, quarter, 3, norm=norm))
        self.conv_branch3 = nn.Sequential(*_conv(width, quarter, 1, norm=norm), *_conv(quarter, quarter, 5, norm=norm))
        self.conv_branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *_conv(width, quarter, 1, norm=norm))

    def forward(self, x: Tensor) -> Tensor:
        """Aggregated features, of the shape of `x` (B,C,H,W)."""
        branches = (self.conv_branch1, self.conv_branch2, self.conv_branch3, self.conv_branch4)
        return torch.cat([branch(x) for branch in branches], dim=1)


class Score(nn.Module):
    """One logit per pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,1,H,W) from features (B,C,H,W)."""
        logits: Tensor = self.score(x)
        return logits


class DenseDecoder(nn.Module):
    """Everything after the levels are fused, under its published names: each output reaches every finer level."""

    def add_decoder(self, width: int, norm: bool) -> None:
        """Build the decoder.

        Args:
            width: channels of the compressed maps and of the decoder.
            norm: normalise after each convolution.
        """
        self.FA = nn.ModuleList(FeatureAggregation(width, norm) for _ in range(5))
        self.upsampling = nn.ModuleList(nn.ModuleList(_enlarge(width, j + 1) for j in range(i + 1)) for i in range(4))
        self.score_JL = Score(width)
        self.score_DCF = Score(width)

    def scored(self, levels: list[Tensor]) -> dict[str, Any]:
        """Compressed maps with the coarse logits that the last one gives."""
        return {"levels": levels, "coarse": self.score_JL(levels[-1])}

    def decode(self, fused: list[Tensor]) -> Tensor:
        """Logits (B,1,H,W) from six maps, fine to coarse; every enlargement has weights of its own."""
        done = [self.FA[4](fused[4] + fused[5])]
        for i in range(4):
            raise_by = cast(nn.ModuleList, self.upsampling[i])
            arriving = [raise_by[i - j](output) for j, output in enumerate(done)]
            done.append(self.FA[3 - i](sum(arriving, fused[3 - i])))
        logits: Tensor = self.score_DCF(done[-1])
        return logits


def _enlarge(width: int, power: int) -> nn.ConvTranspose2d:
    """Learnt enlargement by exactly 2 ** power."""
    return nn.ConvTranspose2d(width, width, 2 ** (power + 1), stride=2**power, padding=2 ** (power - 1))
