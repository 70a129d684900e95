"""D3Net: three separate networks of one shape, and a switch that drops depth where it does not help.

Fan et al., "Rethinking RGB-D Salient Object Detection: Models, Data Sets, and Large-Scale Benchmarks", TNNLS 2021.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.models.d3net_streams import FusedStream, Stream
from rgbdsod.models.depurator import THRESHOLD, depurate
from rgbdsod.models.encoders import Beginning, StagedEncoder, Stages
from rgbdsod.models.references import D3NetReference
from rgbdsod.models.stages import Fusion, Reference, check_fusion, fused_stages

STEEPNESS = 100.0
"""Slope of the sigmoid that stands in for the switch in the backward pass: d within 0.03 of the threshold matters."""


class D3Net(nn.Module):
    """The three streams and the depth depurator unit between them.

    Args:
        rgbnet: the stream of RGB.
        rgbdnet: the stream of RGB and depth: of both concatenated, or with an encoder for each.
        depthnet: the stream of depth, which only judges whether the depth map is good.
    """

    inputs = ("rgb", "depth")

    def __init__(self, rgbnet: Stream, rgbdnet: Stream | FusedStream, depthnet: Stream) -> None:
        super().__init__()
        self.rgbnet = rgbnet
        self.rgbdnet = rgbdnet
        self.depthnet = depthnet
        self.beside = Beside()
        self.switch = Switch()

    def encode(self, name: str, x: Tensor) -> dict[str, Any]:
        """The logits of the stream that reads one input alone, and what RgbdNet computes of that input alone.

        Args:
            name: "rgb" or "depth".
            x: normalised RGB (B,3,H,W), or depth in [0, 1], (B,1,H,W).

        Returns:
            "logit", from RgbNet or DepthNet; "input"; and "taps", where RgbdNet has an encoder for each input.

        Raises:
            UsageError: the input is too small for the encoder.
        """
        stream = self.rgbnet if name == "rgb" else self.depthnet
        taps = self.rgbdnet.encode(name, x) if isinstance(self.rgbdnet, FusedStream) else None
        return {"input": x, "logit": stream.logit(x), "taps": taps}

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
        outputs: dict[str, Tensor] = self.switch(rgb["logit"], depth["logit"], self._both(rgb, depth))
        return outputs

    def _both(self, rgb: Mapping[str, Any], depth: Mapping[str, Any]) -> Tensor:
        """RgbdNet's logits."""
        if isinstance(self.rgbdnet, FusedStream):
            return self.rgbdnet.join(rgb["taps"], depth["taps"], rgb["input"])
        return self.rgbdnet.logit(self.beside(rgb["input"], depth["input"]))

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse` for normalised RGB (B,3,H,W) and depth in [0, 1] (B,1,H,W)."""
        return self.fuse({"rgb": self.encode("rgb", rgb), "depth": self.encode("depth", depth)})

    def streams(self) -> dict[str, nn.Module]:
        """The encoders that run on one input alone: what alignment losses compare.

        RgbdNet's own two where it has them; else those of RgbNet and DepthNet, which are trained beside it.
        """
        if isinstance(self.rgbdnet, FusedStream):
            count = self.rgbdnet.fused[-1] + 1
            return {
                "rgb": Beginning(self.rgbdnet.main_stream.backbone, count),
                "depth": Beginning(self.rgbdnet.depth_backbone, count),
            }
        return {"rgb": self.rgbnet.main_stream.backbone, "depth": self.depthnet.main_stream.backbone}

    def meetings(self) -> dict[str, nn.Module]:
        """Where the streams meet, in the order of a pass.

        "rgbdnet", where the inputs of RgbdNet are put side by side, or the levels ("1" to "5") at which its two
        encoders meet; and "switch", where RgbNet's logits wait to be chosen and DepthNet's judge.
        """
        if isinstance(self.rgbdnet, FusedStream):
            inside = {str(index + 1): self.rgbdnet.operators[str(index)] for index in self.rgbdnet.fused}
        else:
            inside = {"rgbdnet": self.beside}
        return {**inside, "switch": self.switch}

    def predict_maps(self, outputs: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """The 8-bit maps of the published rule.

        Args:
            outputs: what `forward` returned.
            size: height and width of the maps.

        Returns:
            Maps (B,H,W), uint8.
        """
        return depurate(outputs["rgb"], outputs["rgbd"], outputs["depth"], size).maps


def d3net_paper(fusion: Fusion | Reference = "early") -> D3Net | D3NetReference:
    """D3Net as published: three VGG-16 streams, each with the names and shapes of its official checkpoint.

    Args:
        fusion: of RgbdNet: "early", as published; "feature" or "multistage" give it an encoder for each input. The
            other two streams and the switch are always the same. "rgb" or "depth": RgbNet or DepthNet alone.

    Returns:
        The network with PyTorch's random weights, for inputs of 224 x 224 (any size from 32 x 32).
    """
    return _network(fusion, _vgg16_stages)


def d3net_small(
    encoder: str = "resnet10t",
    channels: tuple[int, int, int, int] = (16, 32, 64, 128),
    width: int = 12,
    stem_width: int = 8,
    norm: bool = True,
    fusion: Fusion | Reference = "early",
) -> D3Net | D3NetReference:
    """D3Net on narrow timm encoders, light enough to train on a CPU.

    Args:
        encoder: a timm model of the ResNet family.
        channels: widths of its four layers.
        width: channels of the decoders and heads.
        stem_width: width of the encoders' stems inside.
        norm: whether the decoders and heads have BatchNorm.
        fusion: as for `d3net_paper`.

    Returns:
        The network with random weights, for inputs of any size from 64 x 64.
    """

    def stages(in_chans: int) -> Stages:
        return StagedEncoder(encoder, in_chans, stem_pool=False, channels=channels, stem_width=stem_width)

    return _network(fusion, stages, width=width, norm=norm)


def _network(
    fusion: Fusion | Reference, stages: Callable[[int], Stages], *, width: int = 32, norm: bool = False
) -> D3Net | D3NetReference:
    """The three streams, or one of them, around encoders that are made for a number of input channels."""
    check_fusion("D3Net", fusion)
    match fusion:
        case "rgb" | "depth":
            return D3NetReference(fusion, stages(3), width=width, norm=norm)
    rgbnet = Stream("rgb", stages(3), width=width, norm=norm)
    if fusion == "early":
        rgbdnet: Stream | FusedStream = Stream("rgbd", stages(4), width=width, norm=norm)
    else:
        rgb, depth = stages(3), stages(3)
        fused = fused_stages(fusion, rgb.strides)
        rgbdnet = FusedStream(rgb, depth.cut(fused[-1] + 1), fused, width=width, norm=norm)
    return D3Net(rgbnet, rgbdnet, Stream("depth", stages(3), width=width, norm=norm))


class Beside(nn.Module):
    """Two maps as the channels of one."""

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C+D,H,W) from (B,C,H,W) and (B,D,H,W)."""
        return torch.cat([rgb, depth], dim=1)


class Switch(nn.Module):
    """The choice between RgbdNet's map and RgbNet's, by how near RgbdNet's is to DepthNet's."""

    def forward(self, rgb: Tensor, depth: Tensor, rgbd: Tensor) -> dict[str, Tensor]:
        """What `D3Net.fuse` returns, from the logits (B,1,H,W) of RgbNet, DepthNet and RgbdNet."""
        logits = {"rgb": rgb, "rgbd": rgbd, "depth": depth}
        maps = {name: torch.sigmoid(logit) for name, logit in logits.items()}
        gate = (maps["rgbd"] - maps["depth"]).abs().mean(dim=(1, 2, 3))
        chosen = _switch(gate, rgbd, rgb)
        named_logits = {f"{name}_logit": logit for name, logit in logits.items()}
        return {"final": torch.sigmoid(chosen), "logit": chosen, "gate": gate, **maps, **named_logits}


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
