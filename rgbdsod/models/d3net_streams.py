"""The networks of D3Net between which its switch chooses: an encoder, a decoder from top to bottom, and a head.

Fan et al., "Rethinking RGB-D Salient Object Detection: Models, Data Sets, and Large-Scale Benchmarks", TNNLS 2021.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.fusion.operators import fusion_operator
from rgbdsod.models.encoders import Stages, check_minimum

Feed = Literal["rgb", "rgbd", "depth"]
"""What a stream reads."""


class LogitStream(nn.Module):
    """An encoder, a decoder from top to bottom, and a head: logits of what they read.

    Args:
        feed: what that is: "rgb", "rgbd" (concatenated), or "depth" (repeated to three channels).
        encoder: encoder of five stages for 3 ("rgbd": 4) channels.
        width: channels of the decoder and the head.
        norm: whether BatchNorm follows the convolutions of decoder and head, which the published network has nowhere.
    """

    def __init__(self, feed: Feed, encoder: Stages, *, width: int = 32, norm: bool = False) -> None:
        super().__init__()
        self.feed = feed
        self.main_stream = Pyramid(encoder, width, norm)
        self.pred_layer = Head(width, norm)
        self.minimum = 2 * encoder.strides[-1]

    def logit(self, x: Tensor) -> Tensor:
        """Logits (B,1,H,W) of what the stream reads: RGB (B,3,H,W), RGB and depth (B,4,H,W) or depth (B,1,H,W)."""
        check_minimum("D3Net", x, self.minimum)
        channels = x.expand(-1, 3, -1, -1) if self.feed == "depth" else x
        logits: Tensor = self.pred_layer(self.main_stream(channels))
        # Only an encoder whose first stage halves the size leaves something to enlarge here.
        return resized(logits, x)


class Stream(LogitStream):
    """One of the three networks, each of which takes both inputs and reads its own."""

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


class FusedStream(nn.Module):
    """RgbdNet with an encoder for each input instead of one for both; its decoder and head are those of a `Stream`.

    The encoders meet by concatenation, as the published network's inputs do.

    Args:
        rgb: encoder of five stages for RGB.
        depth: encoder for depth repeated to three channels, with the same widths as far as it goes.
        fused: indices of the stages at which they meet: one, after which a common trunk goes on, or several, between
            which the encoders stay separate.
        width: channels of the decoder and the head.
        norm: whether BatchNorm follows the convolutions of decoder and head.
    """

    def __init__(self, rgb: Stages, depth: Stages, fused: tuple[int, ...], *, width: int = 32, norm: bool) -> None:
        super().__init__()
        self.fused = fused
        self.trunk = len(fused) == 1
        self.main_stream = Pyramid(rgb, width, norm)
        self.depth_backbone = depth
        self.operators = nn.ModuleDict({str(i): fusion_operator("concat", rgb.widths[i]) for i in fused})
        self.pred_layer = Head(width, norm)
        self.minimum = 2 * rgb.strides[-1]

    def encode(self, name: str, x: Tensor) -> list[Tensor]:
        """The features of one input's encoder, as far as they depend on it alone.

        Raises:
            UsageError: the input is too small for the encoder.
        """
        check_minimum("D3Net", x, self.minimum)
        if name == "depth":
            features: list[Tensor] = self.depth_backbone(x.expand(-1, 3, -1, -1))
        else:
            features = self.main_stream.backbone(x, self.fused[0] + 1 if self.trunk else None)
        return features

    def join(self, rgb: list[Tensor], depth: list[Tensor], like: Tensor) -> Tensor:
        """Logits (B,1,H,W) at the size of `like`, from what `encode` returned for each input."""
        taps = list(rgb)
        for index in self.fused:
            taps[index] = self.operators[str(index)](taps[index], depth[index])
        while len(taps) < len(self.main_stream.backbone.widths):
            taps.append(self.main_stream.backbone.step(len(taps), taps[-1]))
        logits: Tensor = self.pred_layer(self.main_stream.decode(taps))
        return resized(logits, like)

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """The saliency map: "final", a probability, and "logit", each (B,1,H,W); inputs as for a `Stream`."""
        logit = self.join(self.encode("rgb", rgb), self.encode("depth", depth), rgb)
        return {"final": torch.sigmoid(logit), "logit": logit}


class Pyramid(nn.Module):
    """An encoder and its decoder, from the smallest feature to the largest."""

    def __init__(self, encoder: Stages, width: int, norm: bool) -> None:
        super().__init__()
        self.backbone = encoder
        top = _convolution(encoder.widths[-1], width, norm), _convolution(width, width, norm)
        self.toplayer = nn.Sequential(nn.AvgPool2d(2), *top[0], *top[1])
        self.decoders = nn.ModuleList(_Decoder(channels, width, norm) for channels in encoder.widths)

    def forward(self, x: Tensor) -> Tensor:
        """The feature at the size of the encoder's first, from what the encoder reads."""
        return self.decode(self.backbone(x))

    def decode(self, taps: Sequence[Tensor]) -> Tensor:
        """The feature at the size of the first tap."""
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
        mixed: Tensor = self.decoder(torch.cat([resized(above, tap), self.reduce_conv(tap)], dim=1))
        return mixed


class Head(nn.Module):
    """Two convolutions and a logit per pixel."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.enlayer = _two_convolutions(width, width, norm)
        self.outlayer = nn.Sequential(nn.Conv2d(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,1,H,W) from features (B,C,H,W)."""
        logits: Tensor = self.outlayer(self.enlayer(x))
        return logits


def _two_convolutions(inputs: int, width: int, norm: bool) -> nn.Sequential:
    """Two 3x3 convolutions, each with its ReLU."""
    return nn.Sequential(*_convolution(inputs, width, norm), *_convolution(width, width, norm))


def _convolution(inputs: int, outputs: int, norm: bool, kernel: int = 3) -> list[nn.Module]:
    """A convolution that keeps the size, BatchNorm if wanted, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not norm)
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


def resized(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the height and width of `like`, bilinear with aligned corners."""
    size = like.shape[-2:]
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=True)
