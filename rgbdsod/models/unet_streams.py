"""U-Nets of two encoders that meet at one or several levels, and the builders of all designs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.extra_channels import InitExtra
from rgbdsod.fusion.operators import fusion_operator
from rgbdsod.fusion.operators.pointwise import Mean
from rgbdsod.fusion.presets import named_spec
from rgbdsod.fusion.spec import FusionSpec
from rgbdsod.models.unet import Decoder, OneStream, TwoMaps, Unet
from rgbdsod.models.unet_encoder import LEVELS, UnetEncoder, share_weights
from rgbdsod.models.unet_hha import ThroughHha

DECODER_CHANNELS = (256, 128, 64, 32, 16)


class TwoStreams(Unet):
    """Two encoders (or one siamese encoder) that meet at the levels of the design.

    Args:
        spec: of kind "feature" or "multistage".
        decoder: channels of the decoder's five steps.
        trimmed: do not build levels of the depth encoder that nothing reads.
        frozen: train the operators alone; encoders and decoder keep their weights and statistics.
        options: further arguments of a timm encoder.

    Raises:
        UsageError: the encoder has no map at one of the levels, or cannot be run level by level where it must.
    """

    def __init__(
        self,
        spec: FusionSpec,
        decoder: Sequence[int],
        *,
        trimmed: bool = False,
        frozen: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(spec)
        self.encoder = UnetEncoder(spec.encoder, **options)
        if spec.flow == "stream":
            self.encoder.check_steps()
        widths = self.encoder.widths
        _check_widths(spec, widths)
        whole = spec.symmetric or not (trimmed or self.encoder.can_step)
        self.reach = {
            "rgb": spec.levels[0] if spec.flow == "stream" else LEVELS,
            self.inputs[1]: LEVELS if whole else spec.levels[-1],
        }
        self.depth_encoder = None
        if spec.own_norms:
            self.depth_encoder = UnetEncoder(spec.encoder, **options)
            _share(self)
            self.register_load_state_dict_post_hook(_share)  # type: ignore[no-untyped-call]
        elif not spec.siamese:
            last = self.reach[self.inputs[1]] if trimmed else LEVELS
            self.depth_encoder = UnetEncoder(spec.encoder, self.channels("depth"), last=last, **options)
        extra = {} if spec.bottleneck is None else {"bottleneck": spec.bottleneck}
        self.operators = nn.ModuleDict(
            {str(level): fusion_operator(spec.op, widths[level - 1], **extra) for level in spec.levels}
        )
        others = {level: width for level, width in enumerate(widths, start=1) if width and level not in spec.levels}
        self.means = nn.ModuleDict({str(level): Mean(others[level]) for level in others if spec.symmetric})
        self.decoder = Decoder(widths, decoder)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)
            self.operators.requires_grad_(True)

    def train(self, mode: bool = True) -> "TwoStreams":
        """Training mode, in which frozen parts stay in evaluation mode."""
        super().train(mode)
        if self.frozen:
            for part in (self.encoder, self.depth_encoder, self.decoder):
                if part is not None:
                    part.eval()
        return self

    def encode(self, name: str, x: Tensor) -> list[Tensor]:
        """The maps of one input's encoder, from level 1 to the last that depends on that input alone and is read."""
        encoder = self.encoder if name == "rgb" or self.depth_encoder is None else self.depth_encoder
        maps: list[Tensor] = encoder(self.as_read(name, x), self.reach[name])
        return maps

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits "final" (B,1,H,W), from what `encode` returned for each input."""
        rgb, depth = (features[name] for name in self.inputs)
        joined = self._into_stream(rgb, depth) if self.spec.flow == "stream" else self._beside(rgb, depth)
        return {"final": self.decoder(joined)}

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse`; a siamese encoder reads both inputs as one batch as far as both go."""
        if self.depth_encoder is not None or inputs[0].shape[-2:] != inputs[1].shape[-2:]:
            return super().forward(*inputs)
        read = [self.as_read(name, x) for name, x in zip(self.inputs, inputs, strict=True)]
        common = min(self.reach.values())
        stacked = [level.chunk(2) for level in self.encoder(torch.cat(read), common)]
        features = {}
        for half, name in enumerate(self.inputs):
            maps = [level[half] for level in stacked]
            for level in range(common + 1, self.reach[name] + 1):
                maps.append(self.encoder.step(level, maps[-1]))
            features[name] = maps
        return self.fuse(features)

    def streams(self) -> dict[str, nn.Module]:
        """Both encoders: what alignment losses compare."""
        return dict(zip(self.inputs, (self.encoder, self.depth_encoder or self.encoder), strict=True))

    def meetings(self) -> dict[str, nn.Module]:
        """The operators of the fused levels, and the means of the others where the design is symmetric."""
        both = {**dict(self.operators.items()), **dict(self.means.items())}
        return {level: both[level] for level in sorted(both)}

    def _beside(self, rgb: list[Tensor], depth: list[Tensor]) -> list[Tensor]:
        """What the decoder reads where the encoders stay separate."""
        maps = list(rgb)
        for level, meeting in self.meetings().items():
            at = int(level) - 1
            maps[at] = meeting(rgb[at], depth[at])
        return maps

    def _into_stream(self, rgb: list[Tensor], depth: list[Tensor]) -> list[Tensor]:
        """What the decoder reads where fused maps run through the RGB encoder's later levels."""
        maps = list(rgb)
        for level in range(self.spec.levels[0], LEVELS + 1):
            if level > len(maps):
                maps.append(self.encoder.step(level, maps[-1]))
            if level in self.spec.levels:
                maps[-1] = self.operators[str(level)](maps[-1], depth[level - 1])
        return maps


def build_unet(
    spec: FusionSpec,
    *,
    decoder: Sequence[int] = DECODER_CHANNELS,
    init_extra: InitExtra = "mean",
    trimmed: bool = False,
    frozen: bool = False,
    **options: Any,
) -> Unet:
    """The neutral network of any design, with random weights.

    Args:
        spec: the design.
        decoder: channels of the decoder's five steps.
        init_extra: what the filters of further input channels begin as (early fusion).
        trimmed: leave out levels of the depth encoder that nothing reads; parameters of designs then differ.
        frozen: train the operators of two encoders alone.
        options: further arguments of a timm encoder ("tu-..."), such as `channels=(16, 32, 64, 128)`.

    Raises:
        UsageError: the encoder does not exist or cannot do what the design asks.

    Source:
        Extra channels: see `rgbdsod.fusion.widen`.
    """
    if spec.two_encoders:
        return TwoStreams(spec, decoder, trimmed=trimmed, frozen=frozen, **options)
    if trimmed or frozen:
        raise UsageError("trimmed and frozen are for two encoders that meet; pass a design with levels of 1 to 5")
    if spec.kind == "decision":
        return TwoMaps(spec, decoder, **options)
    return OneStream(spec, decoder, init_extra, **options)


def unet(fusion: str = "multi", encoder: str = "resnet18", **options: Any) -> Unet | ThroughHha:
    """The neutral network by name: 14 to 29 million parameters on a ResNet-18. A design of HHA takes depth.

    Args:
        fusion: a name in `rgbdsod.fusion.FUSIONS`: a preset, or a protocol and a preset ("A:mid"), each also
            with an operator ("A:mid+gate").
        encoder: of segmentation-models-pytorch, or "tu-" and a model of timm.
        options: as for `build_unet`.
    """
    network = build_unet(named_spec(fusion, encoder), **options)
    return ThroughHha(network) if "hha" in network.inputs else network


def unet_small(
    fusion: str = "multi",
    encoder: str = "tu-resnet10t",
    *,
    channels: tuple[int, int, int, int] = (16, 32, 64, 128),
    stem_width: int = 8,
    decoder: Sequence[int] = (64, 32, 16, 16, 8),
) -> Unet | ThroughHha:
    """The neutral network on a narrow encoder, light enough to train on a CPU.

    Args:
        fusion: as for `unet`.
        encoder: a ResNet of timm, with "tu-" before its name.
        channels: of its four layers.
        stem_width: of its stem.
        decoder: channels of the decoder's five steps.

    Raises:
        UsageError: the encoder is no such ResNet.
    """
    if not encoder.startswith("tu-"):
        raise UsageError(f'the small U-Net takes a ResNet of timm, such as tu-resnet10t, but got encoder "{encoder}"')
    return unet(fusion, encoder, decoder=decoder, channels=channels, stem_width=stem_width)


def _share(network: nn.Module, *_: Any) -> None:
    """Make the encoders one but for their normalisation; loading by assignment would part them."""
    if isinstance(network, TwoStreams) and network.depth_encoder is not None:
        share_weights(network.encoder, network.depth_encoder)


def _check_widths(spec: FusionSpec, widths: Sequence[int]) -> None:
    """Refuse to fuse where the encoder has no map (those of four stages begin at stride 4)."""
    lacking = [level for level in spec.levels if widths[level - 1] == 0]
    if lacking:
        there = ", ".join(str(level) for level, width in enumerate(widths, start=1) if width)
        raise UsageError(f'encoder "{spec.encoder}" has no level {lacking[0]}; it has levels {there}')
