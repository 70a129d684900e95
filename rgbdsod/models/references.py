"""The references of a fusion ablation: each published architecture with one input alone.

Encoder, decoder, head and loss are those of the architecture; what joins two inputs is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.models import stages
from rgbdsod.models.bbsnet_decoders import CascadedDecoders
from rgbdsod.models.d3net_streams import LogitStream
from rgbdsod.models.encoders import Stages, check_multiple
from rgbdsod.models.jldcf_blocks import PAPER_COMPRESSION, Compression, DenseDecoder, JointLearning
from rgbdsod.models.siamese_backbones import Backbone


class OneInput(nn.Module):
    """What the references share: all of the network depends on its one input."""

    architecture: str
    inputs: tuple[stages.Reference]

    def encode(self, name: str, x: Tensor) -> Any:
        """What the decoder reads, from the normalised input."""
        raise NotImplementedError

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """The outputs, from what `encode` returned."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse` for the normalised input (B,C,H,W)."""
        name = self.inputs[0]
        return self.fuse({name: self.encode(name, x)})

    def streams(self) -> dict[str, nn.Module]:
        """Two encoders, which a network of one input does not have.

        Raises:
            UsageError: always.
        """
        raise stages.no_streams(f"{self.architecture} of {self.inputs[0]} alone")


class BBSNetReference(OneInput, CascadedDecoders):
    """BBS-Net of one input: its encoder and the cascaded decoders.

    Args:
        name: the input.
        encoder: of the input's channels (three of RGB, one of depth); strides 4, 4, 8, 16, 32.
        width: channels of the context blocks.
        tail_blocks: residual blocks of each of the two enlarging steps at the end.
    """

    architecture = "BBS-Net"

    def __init__(self, name: stages.Reference, encoder: Stages, *, width: int = 32, tail_blocks: int = 3) -> None:
        super().__init__()
        self.inputs = (name,)
        self.resnet = encoder
        self.add_decoders(encoder.widths, width, tail_blocks)

    def encode(self, name: str, x: Tensor) -> list[Tensor]:
        """The encoder's five features; height and width are multiples of 32.

        Raises:
            UsageError: height or width is not a multiple of 32.
        """
        check_multiple(self.architecture, x, 32)
        features: list[Tensor] = self.resnet(x)
        return features

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits "initial" (coarse) and "final", each (B,1,H,W)."""
        return self.decode(features[self.inputs[0]])


class JLDCFReference(OneInput, DenseDecoder):
    """JL-DCF of one input: its compressed levels go into the decoder without a cross-modal unit.

    Args:
        name: the input.
        backbone: the network that both inputs share where there are two.
        compressions: widths and kernels of the compression of each level.
        width: channels of the compressed maps and of the decoder.
        full_width: channels of the full-resolution level if the backbone has none, else None.
        norm: normalise outside the backbone too.
    """

    architecture = "JL-DCF"

    def __init__(
        self,
        name: stages.Reference,
        backbone: Backbone,
        *,
        compressions: Sequence[Compression] = PAPER_COMPRESSION,
        width: int = 64,
        full_width: int | None = 64,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = (name,)
        self.JLModule = JointLearning(backbone, compressions, width, full_width, norm)
        self.add_decoder(width, norm)

    def encode(self, name: str, x: Tensor) -> dict[str, Any]:
        """Six compressed "levels" and "coarse" logits (B,1,H/16,W/16) of (B,3,H,W), multiples of 16.

        Raises:
            UsageError: height or width is not a multiple of 16.
        """
        check_multiple(self.architecture, x, 16)
        return self.scored(self.JLModule(x))

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits "final" (B,1,H,W) and "coarse" (B,1,H/16,W/16)."""
        own = features[self.inputs[0]]
        return {"final": self.decode(own["levels"]), "coarse": own["coarse"]}


class D3NetReference(OneInput, LogitStream):
    """D3Net's RgbNet or DepthNet alone, without the switch; it loads their official checkpoints.

    Args:
        name: the input.
        encoder: encoder of five stages for 3 channels.
        width: channels of the decoder and the head.
        norm: whether BatchNorm follows the convolutions of decoder and head.
    """

    architecture = "D3Net"

    def __init__(self, name: stages.Reference, encoder: Stages, *, width: int = 32, norm: bool = False) -> None:
        super().__init__(name, encoder, width=width, norm=norm)
        self.inputs = (name,)

    def encode(self, name: str, x: Tensor) -> Tensor:
        """Logits (B,1,H,W) of normalised RGB (B,3,H,W), or of depth in [0, 1] (B,1,H,W).

        Raises:
            UsageError: the input is too small for the encoder.
        """
        return self.logit(x)

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """The map "final", a probability, and its "logit", also under the stream's name for the training loss."""
        name = self.inputs[0]
        logit = features[name]
        return {"final": torch.sigmoid(logit), "logit": logit, f"{name}_logit": logit}
