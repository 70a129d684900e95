"""JL-DCF: one network reads both inputs, six levels are fused by cross-modal units and a densely connected decoder.

Source: Fu, Fan, Ji, Zhao, "JL-DCF: Joint Learning and Densely-Cooperative Fusion Framework for RGB-D Salient Object
Detection" (CVPR 2020, https://arxiv.org/abs/2004.08515; journal version https://arxiv.org/abs/2008.12134).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from rgbdsod.fusion.cross_modal import CrossModal
from rgbdsod.fusion.extra_channels import widen
from rgbdsod.models.encoders import Beginning, StagedEncoder, check_multiple
from rgbdsod.models.jldcf_blocks import (
    PAPER_COMPRESSION,
    Compression,
    DenseDecoder,
    JointLearning,
)
from rgbdsod.models.references import JLDCFReference
from rgbdsod.models.siamese_backbones import Backbone, SiameseDenseNet161, SiameseResNet, SiameseVGG16
from rgbdsod.models.stages import MIDDLE, Fusion, Reference, check_fusion, no_streams


class JLDCF(DenseDecoder):
    """Joint learning and densely cooperative fusion.

    Both inputs are (B,3,H,W), normalised; depth is near = dark, repeated to three channels. Height and width are
    multiples of 16. In eval mode what `encode` computes depends on one input alone.

    Args:
        backbone: the shared network.
        compressions: widths and kernels of the compression of each level.
        width: channels of the compressed maps and of the decoder.
        full_width: channels of the full-resolution level if the backbone has none, else None.
        norm: normalise outside the backbone too (the published networks do not).
        fusion: "multistage", as published: the six compressed levels of both inputs meet; "feature": both inputs run
            through the shared backbone to stride 8, meet there, and go on as one; "early": RGB and one channel of
            depth enter as one image.
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
        fusion: Fusion = "multistage",
    ) -> None:
        super().__init__()
        self.fusion = fusion
        self.JLModule = JointLearning(backbone, compressions, width, full_width, norm)
        self.middle = self.JLModule.strides.index(MIDDLE)
        if fusion == "early":
            widen(cast(nn.Module, self.JLModule.backbone), 1)
            if self.JLModule.has_full_level:
                widen(self.JLModule.vgg_conv1, 1)
        places = {"feature": (self.middle,), "multistage": range(len(self.JLModule.strides))}.get(fusion, ())
        self.cross = nn.ModuleDict({str(level + 1): CrossModal() for level in places})
        self.add_decoder(width, norm)

    def encode(self, name: str, x: Tensor) -> dict[str, Any]:
        """What depends on input `name` alone; the weights are shared, so the name matters only where streams end.

        Args:
            name: "rgb" or "depth".
            x: that input, normalised, (B,3,H,W).

        Returns:
            Multistage: "levels", six compressed maps, fine to coarse, and "coarse", logits (B,1,H/16,W/16). Feature:
            "middle", the backbone's map at stride 8, and of RGB "levels", the compressed maps before it. Early:
            "image", what the backbone reads of this input.
        """
        check_multiple("JL-DCF", x, 16)
        if self.fusion == "early":
            # The channels of depth are one map, repeated; the first says all.
            return {"image": x if name == "rgb" else x[:, :1]}
        if self.fusion == "feature":
            taps = self.JLModule.taps(x, self.middle + 1, full=name == "rgb")
            before = self.JLModule.compress(taps[:-1]) if name == "rgb" else []
            return {"levels": before, "middle": taps[-1]}
        return self.scored(self.JLModule(x))

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Fuse and decode the features of both inputs.

        Returns:
            "final": logits (B,1,H,W); "coarse": logits at stride 16, multistage (2B,1,H/16,W/16), the half of RGB
            first, else (B,1,H/16,W/16).
        """
        rgb, depth = features["rgb"], features["depth"]
        if self.fusion == "multistage":
            fused = self._crossed(zip(rgb["levels"], depth["levels"], strict=True))
            return {"final": self.decode(fused), "coarse": torch.cat([rgb["coarse"], depth["coarse"]])}
        if self.fusion == "early":
            levels = self.JLModule(torch.cat([rgb["image"], depth["image"]], dim=1))
        else:
            (met,) = self._crossed([(rgb["middle"], depth["middle"])])
            trunk = self.JLModule.taps_from(self.middle, met)
            levels = [*rgb["levels"], *self.JLModule.compress(trunk, self.middle)]
        return {"final": self.decode(levels), "coarse": self.scored(levels)["coarse"]}

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse`; as far as both inputs pass the shared part, they do so as one batch."""
        if self.fusion == "early":
            return self.fuse({"rgb": self.encode("rgb", rgb), "depth": self.encode("depth", depth)})
        if self.fusion == "feature":
            return self.fuse(self._to_middle(rgb, depth))
        both = self.encode("both", torch.cat([rgb, depth]))
        fused = self._crossed(level.chunk(2) for level in both["levels"])
        return {"final": self.decode(fused), "coarse": both["coarse"]}

    def _to_middle(self, rgb: Tensor, depth: Tensor) -> dict[str, dict[str, Any]]:
        """What `encode` gives for fusion at stride 8, from one pass of both inputs."""
        check_multiple("JL-DCF", rgb, 16)
        taps = [tap.chunk(2) for tap in self.JLModule.taps(torch.cat([rgb, depth]), self.middle + 1, full=False)]
        full = [self.JLModule.vgg_conv1(rgb)] if self.JLModule.has_full_level else []
        before = self.JLModule.compress([*full, *(of_rgb for of_rgb, _ in taps[:-1])])
        return {"rgb": {"levels": before, "middle": taps[-1][0]}, "depth": {"levels": [], "middle": taps[-1][1]}}

    def streams(self) -> dict[str, nn.Module]:
        """The shared backbone as far as it is run on each input alone: what alignment losses compare.

        Raises:
            UsageError: early fusion has one stream.
        """
        if self.fusion == "early":
            raise no_streams("JL-DCF with early fusion")
        beside = int(self.JLModule.has_full_level)
        count = len(self.JLModule.backbone.widths) if self.fusion == "multistage" else self.middle + 1 - beside
        shared = Beginning(self.JLModule.backbone, count)
        return {"rgb": shared, "depth": shared}

    def meetings(self) -> dict[str, nn.Module]:
        """The cross-modal units of the levels (1, full resolution, to 6) at which both inputs meet, in their order."""
        return dict(self.cross.items())

    def _crossed(self, pairs: Iterable[Sequence[Tensor]]) -> list[Tensor]:
        """What each level's unit makes of its two maps."""
        return [unit(rgb, depth) for unit, (rgb, depth) in zip(self.cross.values(), pairs, strict=True)]


PAPER_BACKBONES: dict[str, Callable[[], Backbone]] = {
    "resnet101": lambda: SiameseResNet((3, 4, 23, 3)),
    "resnet50": lambda: SiameseResNet((3, 4, 6, 3)),
    "vgg16": SiameseVGG16,
    "densenet161": SiameseDenseNet161,
}


def jldcf_paper(encoder: str = "resnet101", fusion: Fusion | Reference = "multistage") -> JLDCF | JLDCFReference:
    """The published network, untrained.

    Args:
        encoder: "resnet101", "resnet50", "vgg16" or "densenet161"; each has a released checkpoint.
        fusion: "multistage", as published; "early" or "feature" change nothing but the fusion; "rgb" or "depth" read
            that input alone.
    """
    backbone = PAPER_BACKBONES[encoder]()
    return _network(fusion, backbone, full_width=None if encoder == "vgg16" else 64)


def jldcf_small(
    encoder: str = "resnet10t",
    *,
    channels: tuple[int, int, int, int] = (16, 32, 72, 112),
    stem_width: int = 8,
    full_width: int = 6,
    compress: Sequence[int] = (4, 8, 10, 16, 24, 24),
    width: int = 12,
    fusion: Fusion | Reference = "multistage",
) -> JLDCF | JLDCFReference:
    """The same architecture on a small encoder, normalised throughout so that it trains from scratch.

    Args:
        encoder: a ResNet of timm.
        channels: of its four stages.
        stem_width: of its stem.
        full_width: channels of the full-resolution level.
        compress: channels inside the compression of each level.
        width: channels of the compressed maps and of the decoder, a multiple of 4.
        fusion: as for `jldcf_paper`.
    """
    backbone = StagedEncoder(encoder, 3, stem_pool=False, output_stride=16, channels=channels, stem_width=stem_width)
    compressions = [replace(c, width=w) for c, w in zip(PAPER_COMPRESSION, compress, strict=True)]
    return _network(fusion, backbone, compressions=compressions, width=width, full_width=full_width, norm=True)


def _network(fusion: Fusion | Reference, backbone: Backbone, **sizes: Any) -> JLDCF | JLDCFReference:
    """The network of a fusion, or of one input, around a backbone."""
    check_fusion("JL-DCF", fusion)
    match fusion:
        case "rgb" | "depth":
            return JLDCFReference(fusion, backbone, **sizes)
    return JLDCF(backbone, fusion=fusion, **sizes)
