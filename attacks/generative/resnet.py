"""The networks of a perturbation generator: a small ResNet that draws, and a critic that knows real images."""

from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle, silu

_GROUPS = 4
_SIDE = 4


class ResNet(nn.Module):
    """Residual blocks at a quarter of the size, of which every place draws its own 4x4 pixels; any height and width.

    Networks are most sensitive to patterns as fine as their first layers, which blocks at full size would have to
    learn and which a place's own 16 pixels have at once. Every norm is of one sample's own groups of channels, so
    neighbours in the batch change nothing.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        width: channels of the blocks.
        depth: how many blocks.
    """

    def __init__(self, channels_in: int, channels_out: int, width: int = 48, depth: int = 4) -> None:
        super().__init__()
        self.enter = _Block(channels_in * _SIDE**2, width)
        self.inner = nn.ModuleList([_Block(width, width) for _ in range(depth)])
        self.leave = nn.Conv2d(width, channels_out * _SIDE**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) in, (B, channels_out, H, W) out, unbounded."""
        height, width = x.shape[-2:]
        features = self.enter(pixel_unshuffle(pad(x, (0, -width % _SIDE, 0, -height % _SIDE), mode="replicate"), _SIDE))
        for block in self.inner:
            features = features + block(features)
        return pixel_shuffle(self.leave(features), _SIDE)[..., :height, :width]


class PatchCritic(nn.Module):
    """Tells clean images from perturbed ones, patch by patch.

    Args:
        channels: of the images.
        width: channels of the first layer.
    """

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.GroupNorm(_GROUPS, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """One logit per patch: positive for clean."""
        logits: Tensor = self.layers(x)
        return logits


class _Block(nn.Module):
    """Convolution, norm, SiLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(_GROUPS, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return silu(self.norm(self.conv(x)))
