"""D3Net: three separate networks of one shape, and a switch that drops depth where it does not help.

Fan et al., "Rethinking RGB-D Salient Object Detection: Models, Data Sets, and Large-Scale Benchmarks", TNNLS 2021.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.models.depurator import THRESHOLD, depurate
from rgbdsod.models.encoders import StagedEncoder, Stages, check_minimum

STEEPNESS = 100.0
"""Slope of the sigmoid that stands in for the switch in the backward pass: d within 0.03 of the threshold matters."""

Feed = Literal["rgb", "rgbd", "depth"]
"""What a stream reads."""


class Stream(nn.Module):
    """One of the three networks: an encoder, a decoder from top to bottom, and a head.

    Args:
        feed: which input it reads: "rgb", "rgbd" (concatenated), or "depth" (repeated to three channels).
        encoder: encoder of five stages for 3 ("rgbd": 4) channels.
        width: channels of the decoder and the head.
        norm: whether BatchNorm follows the convolutions of decoder and head, which the published network has nowhere.
    """

    def __init__(self, feed: Feed, encoder: Stages, *, width: int = 32, norm: bool = False) -> None:
        super().__init__()
        self.feed = feed
        self.main_stream = _Pyramid(encoder, width, norm)
        self.pred_layer = _Head(width, norm)
        self.minimum = 2 * encoder.strides[-1]

    def logit(self, x: Tensor) -> Tensor:
        """Logits (B,1,H,W) of what the stream reads: RGB (B,3,H,W), RGB and depth (B,4,H,W) or depth (B,1,H,W)."""
        check_minimum("D3Net", x, self.minimum)
        channels = x.expand(-1, 3, -1, -1) if self.feed == "depth" else x
        logits: Tensor = self.pred_layer(self.main_stream(channels))
        # Only an encoder whose first stage halves the size leaves something to enlarge here.
        return _resized(logits, x)

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """The saliency map of this stream.

        Args:
            rgb: normalised RGB, (B,3,H,W).
            depth: depth in [0, 1], (B,1,H,W).

        Returns:
            "final", a probability, and "logit", each (B,1,H,W).

        Raises:
            UsageError: the inputs are too small for the encoder.
        """
        if self.feed == "rgbd":
            logit = self.logit(torch.cat([rgb, depth], dim=1))
        else:
            logit = self.logit(rgb if self.feed == "rgb" else depth)
        return {"final": torch.sigmoid(logit), "logit": logit}


class D3Net(nn.Module):
    """The three streams and the depth depurator unit between them.

    Args:
        rgbnet: the stream of RGB.
        rgbdnet: the stream of RGB and depth.
        depthnet: the stream of depth, which only judges whether the depth map is good.
    """

    inputs = ("rgb", "depth")

    def __init__(self, rgbnet: Stream, rgbdnet: Stream, depthnet: Stream) -> None:
        super().__init__()
        self.rgbnet = rgbnet
        self.rgbdnet = rgbdnet
        self.depthnet = depthnet

    def encode(self, name: str, x: Tensor) -> dict[str, Tensor]:
        """The logits of the stream that reads one input alone, with that input, which RgbdNet reads too.

        Args:
            name: "rgb" or "depth".
            x: normalised RGB (B,3,H,W), or depth in [0, 1], (B,1,H,W).

        Returns:
            "input" and, from RgbNet or DepthNet, "logit".

        Raises:
            UsageError: the input is too small for the encoder.
        """
        stream = self.rgbnet if name == "rgb" else self.depthnet
        return {"input": x, "logit": stream.logit(x)}

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """RgbdNet, and the choice between its map and RgbNet's.

        The choice is hard, on float maps at this size; its gradient is that of a steep sigmoid, so that both streams
        and the distance itself receive some. `predict_maps` gives the published 8-bit choice.

        Args:
            features: what `encode` returned, by input name.

        Returns:
            "final" and "logit", the chosen stream's probability and logits; "rgb", "rgbd", "depth" and "rgb_logit",
            "rgbd_logit", "depth_logit", those of each stream, all (B,1,H,W); "gate" (B,), the mean distance of the
            RgbdNet and DepthNet maps, which keeps depth where it is below 0.15.
        """
        rgb, depth = features["rgb"], features["depth"]
        both = self.rgbdnet(rgb["input"], depth["input"])
        logits = {"rgb": rgb["logit"], "rgbd": both["logit"], "depth": depth["logit"]}
        maps = {name: torch.sigmoid(logit) for name, logit in logits.items()}
        gate = (maps["rgbd"] - maps["depth"]).abs().mean(dim=(1, 2, 3))
        chosen = _switch(gate, logits["rgbd"], logits["rgb"])
        named_logits = {f"{name}_logit": logit for name, logit in logits.items()}
        return {"final": torch.sigmoid(chosen), "logit": chosen, "gate": gate, **maps, **named_logits}

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse` for normalised RGB (B,3,H,W) and depth in [0, 1] (B,1,H,W)."""
        return self.fuse({"rgb": self.encode("rgb", rgb), "depth": self.encode("depth", depth)})

    def predict_maps(self, outputs: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """The 8-bit maps of the published rule.

        Args:
            outputs: what `forward` returned.
            size: height and width of the maps.

        Returns:
            Maps (B,H,W), uint8.
        """
        return depurate(outputs["rgb"], outputs["rgbd"], outputs["depth"], size).maps


class _Pyramid(nn.Module):
    """An encoder and its decoder, from the smallest feature to the largest."""

    def __init__(self, encoder: Stages, width: int, norm: bool) -> None:
        super().__init__()
        self.backbone = encoder
        top = _convolution(encoder.widths[-1], width, norm), _convolution(width, width, norm)
        self.toplayer = nn.Sequential(nn.AvgPool2d(2), *top[0], *top[1])
        self.decoders = nn.ModuleList(_Decoder(channels, width, norm) for channels in encoder.widths)

    def forward(self, x: Tensor) -> Tensor:
        taps = self.backbone(x)
        decoded: Tensor = self.toplayer(taps[-1])
        for decoder, tap in zip(reversed(self.decoders), reversed(taps), strict=True):
            decoded = decoder(decoded, tap)
        return decoded


class _Decoder(nn.Module):
    """One step down: the feature from above, enlarged to the encoder's, and both mixed."""

    def __init__(self, tap: int, width: int, norm: bool) -> None:
        super().__init__()
        self.reduce_conv = nn.Sequential(*_convolution(tap, width, norm, kernel=1))
        self.decoder = _two_convolutions(2 * width, width, norm)

    def forward(self, above: Tensor, tap: Tensor) -> Tensor:
        mixed: Tensor = self.decoder(torch.cat([_resized(above, tap), self.reduce_conv(tap)], dim=1))
        return mixed


class _Head(nn.Module):
    """Two convolutions and a logit per pixel."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.enlayer = _two_convolutions(width, width, norm)
        self.outlayer = nn.Sequential(nn.Conv2d(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.outlayer(self.enlayer(x))
        return logits


def d3net_paper() -> D3Net:
    """D3Net as published: three VGG-16 streams, each with the names and shapes of its official checkpoint.

    Returns:
        The network with PyTorch's random weights, for inputs of 224 x 224 (any size from 32 x 32).
    """
    return D3Net(
        Stream("rgb", _vgg16_stages(3)),
        Stream("rgbd", _vgg16_stages(4)),
        Stream("depth", _vgg16_stages(3)),
    )


def d3net_small(
    encoder: str = "resnet10t",
    channels: tuple[int, int, int, int] = (16, 32, 64, 128),
    width: int = 12,
    stem_width: int = 8,
    norm: bool = True,
) -> D3Net:
    """D3Net on three narrow timm encoders, light enough to train on a CPU.

    Args:
        encoder: a timm model of the ResNet family.
        channels: widths of its four layers.
        width: channels of the decoders and heads.
        stem_width: width of the encoders' stems inside.
        norm: whether the decoders and heads have BatchNorm.

    Returns:
        The network with random weights, for inputs of any size from 64 x 64.
    """

    def stream(feed: Feed, in_chans: int) -> Stream:
        stages = StagedEncoder(encoder, in_chans, stem_pool=False, channels=channels, stem_width=stem_width)
        return Stream(feed, stages, width=width, norm=norm)

    return D3Net(stream("rgb", 3), stream("rgbd", 4), stream("depth", 3))


def _switch(gate: Tensor, with_depth: Tensor, without: Tensor) -> Tensor:
    """Logits of one of two streams per sample, with the gradient of a soft mixture of both."""
    gate = gate[:, None, None, None]
    threshold = float(THRESHOLD)
    hard = torch.where(gate < threshold, with_depth, without).detach()
    share = torch.sigmoid(STEEPNESS * (threshold - gate))
    mixture = share * with_depth + (1 - share) * without
    return hard + (mixture - mixture.detach())


def _vgg16_stages(in_chans: int) -> Stages:
    """The convolutions of VGG-16 in five stages, of which all but the first begin with a max-pool."""
    stages = []
    widths, depths = (64, 128, 256, 512, 512), (2, 2, 3, 3, 3)
    for group, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        stage = nn.Sequential()
        if group > 1:
            stage.add_module(f"pool{group - 1}", nn.MaxPool2d(2))
        for index in range(1, depth + 1):
            stage.add_module(f"conv{group}_{index}", nn.Conv2d(in_chans, width, 3, padding=1))
            stage.add_module(f"relu{group}_{index}", nn.ReLU(inplace=True))
            in_chans = width
        stages.append({f"conv{group}": stage})
    return Stages(stages, widths, (1, 2, 4, 8, 16))


def _two_convolutions(inputs: int, width: int, norm: bool) -> nn.Sequential:
    """Two 3x3 convolutions, each with its ReLU."""
    return nn.Sequential(*_convolution(inputs, width, norm), *_convolution(width, width, norm))


def _convolution(inputs: int, outputs: int, norm: bool, kernel: int = 3) -> list[nn.Module]:
    """A convolution that keeps the size, BatchNorm if wanted, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not norm)
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the height and width of `like`, bilinear with aligned corners."""
    size = like.shape[-2:]
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=True)
