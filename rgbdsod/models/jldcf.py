"""JL-DCF: one network reads both inputs, six levels are fused by cross-modal units and a densely connected decoder.

Source: Fu, Fan, Ji, Zhao, "JL-DCF: Joint Learning and Densely-Cooperative Fusion Framework for RGB-D Salient Object
Detection" (CVPR 2020, https://arxiv.org/abs/2004.08515; journal version https://arxiv.org/abs/2008.12134).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from rgbdsod.fusion.cross_modal import cross_modal
from rgbdsod.models.encoders import StagedEncoder, check_multiple
from rgbdsod.models.siamese_backbones import Backbone, SiameseDenseNet161, SiameseResNet, SiameseVGG16


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
        channels = backbone.widths
        if full_width is not None:
            self.vgg_conv1 = nn.Sequential(
                *_conv(3, full_width, 3, norm=norm), *_conv(full_width, full_width, 3, norm=norm)
            )
            channels = (full_width, *channels)
        self.has_full_level = full_width is not None
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
        taps = self.backbone(x)
        if self.has_full_level:
            taps = [self.vgg_conv1(x), *taps]
        return [compress(tap) for compress, tap in zip(self.CP, taps, strict=True)]


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


def _enlarge(width: int, power: int) -> nn.ConvTranspose2d:
    """Learnt enlargement by exactly 2 ** power."""
    return nn.ConvTranspose2d(width, width, 2 ** (power + 1), stride=2**power, padding=2 ** (power - 1))


class JLDCF(nn.Module):
    """Joint learning and densely cooperative fusion.

    Both inputs are (B,3,H,W), normalised; depth is near = dark, repeated to three channels. Height and width are
    multiples of 16. In eval mode what `encode` computes depends on one input alone.

    Args:
        backbone: the shared network.
        compressions: widths and kernels of the compression of each level.
        width: channels of the compressed maps and of the decoder.
        full_width: channels of the full-resolution level if the backbone has none, else None.
        norm: normalise outside the backbone too (the published networks do not).
    """

    inputs = ("rgb", "depth")

    def __init__(
        self,
        backbone: Backbone,
        *,
        compressions: Sequence[Compression] = PAPER_COMPRESSION,
        width: int = 64,
        full_width: int | None = 64,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.JLModule = JointLearning(backbone, compressions, width, full_width, norm)
        self.FA = nn.ModuleList(FeatureAggregation(width, norm) for _ in range(5))
        self.upsampling = nn.ModuleList(nn.ModuleList(_enlarge(width, j + 1) for j in range(i + 1)) for i in range(4))
        self.score_JL = Score(width)
        self.score_DCF = Score(width)

    def encode(self, name: str, x: Tensor) -> dict[str, Any]:
        """What depends on input `name` alone; the weights are shared, so the name makes no difference.

        Args:
            name: "rgb" or "depth".
            x: that input, normalised, (B,3,H,W).

        Returns:
            "levels": six compressed maps, fine to coarse; "coarse": logits (B,1,H/16,W/16).
        """
        check_multiple("JL-DCF", x, 16)
        levels = self.JLModule(x)
        return {"levels": levels, "coarse": self.score_JL(levels[-1])}

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Fuse and decode the features of both inputs.

        Returns:
            "final": logits (B,1,H,W); "coarse": logits (2B,1,H/16,W/16), the half of RGB first.
        """
        rgb, depth = features["rgb"], features["depth"]
        fused = [cross_modal(r, d) for r, d in zip(rgb["levels"], depth["levels"], strict=True)]
        return {"final": self._decode(fused), "coarse": torch.cat([rgb["coarse"], depth["coarse"]])}

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse`; both inputs pass the shared part as one batch, as they do in training."""
        both = self.encode("both", torch.cat([rgb, depth]))
        halves = [level.chunk(2) for level in both["levels"]]
        fused = [cross_modal(r, d) for r, d in halves]
        return {"final": self._decode(fused), "coarse": both["coarse"]}

    def _decode(self, fused: list[Tensor]) -> Tensor:
        """Densely connected decoder: every output reaches every finer level through an enlargement of its own."""
        done = [self.FA[4](fused[4] + fused[5])]
        for i in range(4):
            enlarge = cast(nn.ModuleList, self.upsampling[i])
            arriving = [enlarge[i - j](output) for j, output in enumerate(done)]
            done.append(self.FA[3 - i](sum(arriving, fused[3 - i])))
        logits: Tensor = self.score_DCF(done[-1])
        return logits


PAPER_BACKBONES: dict[str, Callable[[], Backbone]] = {
    "resnet101": lambda: SiameseResNet((3, 4, 23, 3)),
    "resnet50": lambda: SiameseResNet((3, 4, 6, 3)),
    "vgg16": SiameseVGG16,
    "densenet161": SiameseDenseNet161,
}


def jldcf_paper(encoder: str = "resnet101") -> JLDCF:
    """The published network, untrained.

    Args:
        encoder: "resnet101", "resnet50", "vgg16" or "densenet161"; each has a released checkpoint.
    """
    backbone = PAPER_BACKBONES[encoder]()
    return JLDCF(backbone, full_width=None if encoder == "vgg16" else 64)


def jldcf_small(
    encoder: str = "resnet10t",
    *,
    channels: tuple[int, int, int, int] = (16, 32, 72, 112),
    stem_width: int = 8,
    full_width: int = 6,
    compress: Sequence[int] = (4, 8, 10, 16, 24, 24),
    width: int = 12,
) -> JLDCF:
    """The same architecture on a small encoder, normalised throughout so that it trains from scratch.

    Args:
        encoder: a ResNet of timm.
        channels: of its four stages.
        stem_width: of its stem.
        full_width: channels of the full-resolution level.
        compress: channels inside the compression of each level.
        width: channels of the compressed maps and of the decoder, a multiple of 4.
    """
    backbone = StagedEncoder(encoder, 3, stem_pool=False, output_stride=16, channels=channels, stem_width=stem_width)
    compressions = [replace(c, width=w) for c, w in zip(PAPER_COMPRESSION, compress, strict=True)]
    return JLDCF(backbone, compressions=compressions, width=width, full_width=full_width, norm=True)
