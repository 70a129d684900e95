"""The neutral network: U-Nets of segmentation-models-pytorch that differ in nothing but the fusion.

Source: Ronneberger et al., "U-Net" (MICCAI 2015), in the form that segmentation-models-pytorch gives it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.extra_channels import InitExtra
from rgbdsod.fusion.operators import fusion_operator
from rgbdsod.fusion.spec import FusionSpec
from rgbdsod.models.encoders import check_multiple
from rgbdsod.models.stages import no_streams
from rgbdsod.models.unet_encoder import UnetEncoder

MULTIPLE = 32
"""Heights and widths are multiples of this."""


class Unet(nn.Module):
    """What all designs share: named inputs, of which each is encoded alone and all are then fused."""

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.spec = spec
        self.inputs = spec.inputs

    def encode(self, name: str, x: Tensor) -> Any:
        """What depends on input `name` alone, from (B,C,H,W) with height and width multiples of 32."""
        raise NotImplementedError

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits "final" (B,1,H,W), from what `encode` returned for each input."""
        raise NotImplementedError

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse` for the normalised inputs, in the order of `inputs`."""
        return self.fuse({name: self.encode(name, x) for name, x in zip(self.inputs, inputs, strict=True)})

    def streams(self) -> dict[str, nn.Module]:
        """The encoders, each run on its input alone: what alignment losses compare.

        Raises:
            UsageError: the design has no two encoders.
        """
        raise no_streams(f"the U-Net of fusion levels {self.spec.levels}")

    def meetings(self) -> dict[str, nn.Module]:
        """The operators where two streams meet, by level ("1" to "5") or "map", in the order of a pass."""
        return {}

    def channels(self, name: str) -> int:
        """Channels of an input as the first convolution reads it."""
        return 3 if name == "rgb" else self.spec.depth_channels

    def as_read(self, name: str, x: Tensor) -> Tensor:
        """An input as the first convolution reads it: one map is repeated where three channels are wanted.

        Raises:
            UsageError: another number of channels, or a height or width that is no multiple of 32.
        """
        check_multiple("the U-Net", x, MULTIPLE)
        wanted = self.channels(name)
        if x.shape[1] == wanted:
            return x
        if x.shape[1] != 1 or name == "rgb":
            raise UsageError(f'the U-Net reads {wanted} channels of "{name}", but got {x.shape[1]}')
        return x.expand(-1, wanted, -1, -1)


class Decoder(nn.Module):
    """The U-Net decoder and its head.

    Args:
        widths: channels of the maps of levels 1 to 5.
        channels: of the decoder's five steps.
    """

    def __init__(self, widths: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        self.blocks = UnetDecoder((0, *widths), channels)
        self.head = SegmentationHead(channels[-1], 1, kernel_size=3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits (B,1,H,W) from the maps of levels 1 to 5."""
        batch, _, height, width = maps[0].shape
        sized = maps[0].new_empty(batch, 0, 2 * height, 2 * width)  # of the input, the blocks read only the size
        logits: Tensor = self.head(self.blocks([sized, *maps]))
        return logits


class OneStream(Unet):
    """One encoder: of a single input, or of both inputs concatenated (early fusion, which has nothing to keep).

    Args:
        spec: of kind "single" or "early".
        decoder: channels of the decoder's five steps.
        init_extra: what the filters of depth begin as, where they join those of RGB.
        options: further arguments of a timm encoder.
    """

    def __init__(
        self, spec: FusionSpec, decoder: Sequence[int], init_extra: InitExtra = "mean", **options: Any
    ) -> None:
        super().__init__(spec)
        total = sum(self.channels(name) for name in self.inputs)
        self.encoder = UnetEncoder(spec.encoder, total, init_extra=init_extra, **options)
        self.decoder = Decoder(self.encoder.widths, decoder)

    def encode(self, name: str, x: Tensor) -> Any:
        """The encoder's maps of a single input; of one of two, the input itself."""
        x = self.as_read(name, x)
        return self.encoder(x) if len(self.inputs) == 1 else x

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits "final" (B,1,H,W), from what `encode` returned for each input."""
        if len(self.inputs) == 1:
            return {"final": self.decoder(features[self.inputs[0]])}
        both = torch.cat([features[name] for name in self.inputs], dim=1)
        return {"final": self.decoder(self.encoder(both))}


class TwoMaps(Unet):
    """Decision fusion: two complete networks, whose logits are combined.

    Args:
        spec: of kind "decision"; a siamese one is one network for both inputs.
        decoder: channels of the decoders' five steps.
        options: further arguments of a timm encoder.
    """

    def __init__(self, spec: FusionSpec, decoder: Sequence[int], **options: Any) -> None:
        super().__init__(spec)

        def one(only: Literal["rgb", "depth"]) -> OneStream:
            return OneStream(FusionSpec((), encoder=spec.encoder, depth=spec.depth, only=only), decoder, **options)

        self.rgb = one("rgb")
        self.depth = None if spec.siamese else one("depth")
        self.combine = fusion_operator(spec.op, 1)

    def encode(self, name: str, x: Tensor) -> Tensor:
        """Logits (B,1,H,W) of the network that reads input `name`."""
        network = self.rgb if name == "rgb" or self.depth is None else self.depth
        maps = network.encoder(self.as_read(name, x))
        logits: Tensor = network.decoder(maps)
        return logits

    def streams(self) -> dict[str, nn.Module]:
        """The encoders of both networks: what alignment losses compare."""
        return dict(zip(self.inputs, (self.rgb.encoder, (self.depth or self.rgb).encoder), strict=True))

    def meetings(self) -> dict[str, nn.Module]:
        """The operator on the two maps."""
        return {"map": self.combine}

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits "final", and those of each network by the name of its input, all (B,1,H,W)."""
        first, second = (features[name] for name in self.inputs)
        return {"final": self.combine(first, second), **features}
