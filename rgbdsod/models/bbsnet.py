"""BBS-Net: depth is added into the RGB stream at five places, and two decoders refine each other.

Fan et al., "BBS-Net: RGB-D Salient Object Detection with a Bifurcated Backbone Strategy Network", ECCV 2020.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import resnet50

from rgbdsod.fusion.depth_enhancement import ChannelGate, SpatialGate
from rgbdsod.fusion.extra_channels import widen
from rgbdsod.fusion.operators import fusion_operator
from rgbdsod.models.bbsnet_decoders import CascadedDecoders
from rgbdsod.models.encoders import Beginning, StagedEncoder, Stages, check_multiple
from rgbdsod.models.references import BBSNetReference
from rgbdsod.models.stages import Fusion, Reference, check_fusion, fused_stages, no_streams

LEVELS = ("0", "1", "2", "3_1", "4_1")
"""The published names of the five places where depth joins RGB: the stem and four stages."""


class BBSNet(CascadedDecoders):
    """The network, around encoders of five stages with strides 4, 4, 8, 16, 32.

    Args:
        encoder_rgb: encoder of the RGB input; of both inputs (four channels) where there is no other.
        encoder_depth: encoder of the one-channel depth input, with the same widths as far as it goes; None: early
            fusion.
        fused: indices of the stages after which depth joins RGB; the published network has all five.
        width: channels of the context blocks; the decoders have up to three times as many.
        tail_blocks: residual blocks of each of the two enlarging steps at the end.
    """

    inputs = ("rgb", "depth")

    def __init__(
        self,
        encoder_rgb: Stages,
        encoder_depth: Stages | None,
        fused: tuple[int, ...] = (0, 1, 2, 3, 4),
        *,
        width: int = 32,
        tail_blocks: int = 3,
    ) -> None:
        super().__init__()
        self.fused = fused
        self.resnet = encoder_rgb
        if encoder_depth is not None:
            self.resnet_depth = encoder_depth
        for index in fused:
            self.add_module(f"atten_depth_channel_{LEVELS[index]}", ChannelGate(encoder_rgb.widths[index]))
            self.add_module(f"atten_depth_spatial_{LEVELS[index]}", SpatialGate())
        self.sums = nn.ModuleDict({LEVELS[i]: fusion_operator("sum", encoder_rgb.widths[i]) for i in fused})
        self.add_decoders(encoder_rgb.widths, width, tail_blocks)

    def encode(self, name: str, x: Tensor) -> list[Tensor]:
        """What depends on one input alone.

        Args:
            name: "rgb" or "depth".
            x: the normalised input, (B,3,H,W) or (B,1,H,W), height and width multiples of 32.

        Returns:
            For "rgb" its features up to the first that depth joins; for "depth" the gated features of the depth
            stream. In early fusion, the input alone.

        Raises:
            UsageError: height or width is not a multiple of 32.
        """
        check_multiple("BBS-Net", x, 32)
        if not self.fused:
            return [x]
        if name == "rgb":
            rgb: list[Tensor] = self.resnet(x, self.fused[0] + 1)
            return rgb
        features = self.resnet_depth(x)
        return [self._gated(LEVELS[index], features[index]) for index in self.fused]

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """The RGB stream, which depth joins where it does, and both decoders.

        Args:
            features: what `encode` returned, by input name.

        Returns:
            Logits "initial" (coarse) and "final", each (B,1,H,W) at the inputs' size.
        """
        if not self.fused:
            return self.decode(self.resnet(torch.cat([features["rgb"][0], features["depth"][0]], dim=1)))
        return self.decode(self._joined(features["rgb"], features["depth"]))

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """Logits "initial" and "final", each (B,1,H,W), of normalised RGB (B,3,H,W) and depth (B,1,H,W)."""
        return self.fuse({"rgb": self.encode("rgb", rgb), "depth": self.encode("depth", depth)})

    def streams(self) -> dict[str, nn.Module]:
        """The encoders as far as each is run on its input alone, or could be: what alignment losses compare.

        Raises:
            UsageError: early fusion has one encoder.
        """
        if not self.fused:
            raise no_streams("BBS-Net with early fusion")
        count = self.fused[-1] + 1
        return {"rgb": Beginning(self.resnet, count), "depth": Beginning(self.resnet_depth, count)}

    def meetings(self) -> dict[str, nn.Module]:
        """The places where gated depth is added to RGB, by their published names, in the order of a pass."""
        return dict(self.sums.items())

    def _gated(self, level: str, feature: Tensor) -> Tensor:
        """The depth feature of one level after its channel and its spatial gate."""
        by_channel: Tensor = getattr(self, f"atten_depth_channel_{level}")(feature)
        by_place: Tensor = getattr(self, f"atten_depth_spatial_{level}")(by_channel)
        return by_place

    def _joined(self, rgb: list[Tensor], depth: list[Tensor]) -> list[Tensor]:
        """The five features of the RGB stream; where depth joins, the next stage reads the sum."""
        joining = dict(zip(self.fused, depth, strict=True))
        joined = list(rgb)
        for index in range(self.fused[0], len(LEVELS)):
            if index == len(joined):
                joined.append(self.resnet.step(index, joined[-1]))
            if index in joining:
                joined[index] = self.sums[LEVELS[index]](joined[index], joining[index])
        return joined


def bbsnet_paper(fusion: Fusion | Reference = "multistage") -> BBSNet | BBSNetReference:
    """BBS-Net as published: two ResNet-50 encoders, the names and shapes of the official checkpoint.

    Args:
        fusion: "multistage", as published; "early" or "feature" change nothing but the fusion; "rgb" or "depth" read
            that input alone.

    Returns:
        The network with PyTorch's random weights, for inputs of 352 x 352 (any multiples of 32).
    """
    network = _network(fusion, _resnet50_stages)
    # The checkpoint holds two heads that no forward pass uses; strict loading needs a place for them.
    network.out0_conv = nn.Conv2d(96, 1, 1)
    network.out1_conv = nn.Conv2d(64, 1, 1)
    return network


def bbsnet_small(
    encoder: str = "resnet10t",
    channels: tuple[int, int, int, int] = (16, 32, 64, 128),
    width: int = 10,
    stem_width: int = 8,
    fusion: Fusion | Reference = "multistage",
) -> BBSNet | BBSNetReference:
    """BBS-Net on two narrow timm encoders, light enough to train on a CPU.

    Args:
        encoder: a timm model of the ResNet family.
        channels: widths of its four layers.
        width: channels of the context blocks.
        stem_width: width of the encoder's stem inside.
        fusion: as for `bbsnet_paper`.

    Returns:
        The network with random weights, for inputs of any multiples of 32.
    """

    def stages(in_chans: int) -> Stages:
        return StagedEncoder(encoder, in_chans, channels=channels, stem_width=stem_width)

    return _network(fusion, stages, width=width, tail_blocks=1)


def _network(fusion: Fusion | Reference, stages: Callable[[int], Stages], **sizes: int) -> BBSNet | BBSNetReference:
    """The network of a fusion, or of one input, around encoders that are made for a number of input channels."""
    check_fusion("BBS-Net", fusion)
    match fusion:
        case "rgb" | "depth":
            return BBSNetReference(fusion, stages(3 if fusion == "rgb" else 1), **sizes)
    if fusion == "early":
        encoder = stages(3)
        widen(encoder, 1)
        return BBSNet(encoder, None, (), **sizes)
    rgb, depth = stages(3), stages(1)
    fused = fused_stages(fusion, rgb.strides)
    return BBSNet(rgb, depth.cut(fused[-1] + 1), fused, **sizes)


def _resnet50_stages(in_chans: int) -> Stages:
    """The ResNet-50 of torchvision without pooling and classifier, under BBS-Net's names of its parts."""
    model = resnet50(weights=None)
    if in_chans != model.conv1.in_channels:
        model.conv1 = nn.Conv2d(in_chans, 64, 7, stride=2, padding=3, bias=False)
    stem = {"conv1": model.conv1, "bn1": model.bn1, "relu": model.relu, "maxpool": model.maxpool}
    layers = {"layer1": model.layer1, "layer2": model.layer2, "layer3_1": model.layer3, "layer4_1": model.layer4}
    return Stages(
        [stem, *({name: part} for name, part in layers.items())], (64, 256, 512, 1024, 2048), (4, 4, 8, 16, 32)
    )
