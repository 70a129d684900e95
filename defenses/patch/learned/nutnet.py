"""NutNet: what an autoencoder of clean blocks cannot draw is foreign."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.defenses.patch.learned.weights import load_weights
from rgbdsod.defenses.patch.localiser import MaskAndFill

BLOCKS = 10  # each way
PIXELS = 16  # that a block is brought to, each way
_TINY = 1e-6


class BlockCoder(nn.Module):
    """An autoencoder of blocks of 16 x 16 pixels, about five thousand numbers.

    Its buffers `block_limit` and `pixel_limit` are the 99 % quantiles of its errors on clean blocks.
    """

    block_limit: Tensor
    pixel_limit: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 3, 1, 1)
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(8, 3, 3, 1, 1),
        )  # fmt: skip
        self.register_buffer("block_limit", torch.tensor(1.0))
        self.register_buffer("pixel_limit", torch.tensor(1.0))

    def forward(self, blocks: Tensor) -> Tensor:
        """Blocks (N,3,16,16) in [0, 1], drawn again."""
        drawn: Tensor = self.decode(self.encode(blocks * 2 - 1))
        return drawn * 0.5 + 0.5

    def errors(self, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error of each block (N,), and of each pixel's neighbourhood (N,1,16,16)."""
        error = (self(blocks) - blocks).square().mean(1, keepdim=True)
        fine = F.avg_pool2d(error, 3, 1, 1, count_include_pad=False)
        return error.flatten(1).mean(1), fine


def to_blocks(image: Tensor) -> Tensor:
    """The ten by ten blocks of each image, row by row, (B * 100, 3, 16, 16)."""
    side = BLOCKS * PIXELS
    square = F.interpolate(image.expand(-1, 3, -1, -1), (side, side), mode="bilinear", antialias=True)
    grid = square.view(len(image), 3, BLOCKS, PIXELS, BLOCKS, PIXELS)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, PIXELS, PIXELS)


def from_blocks(values: Tensor) -> Tensor:
    """(B,1,160,160) of (B * 100, 1, 16, 16)."""
    grid = values.view(-1, BLOCKS, BLOCKS, PIXELS, PIXELS).permute(0, 1, 3, 2, 4)
    return grid.reshape(-1, 1, BLOCKS * PIXELS, BLOCKS * PIXELS)


@dataclass(frozen=True, eq=False, kw_only=True)
class NutNet(MaskAndFill):
    """Pixels that are badly drawn in blocks that are badly drawn.

    The evidence is the smaller of the two errors, each over its clean 99 % quantile, so both have to exceed it.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of both errors over their clean quantiles; 1 is the paper.
        fill: what replaces the masked pixels.
        weights: a safetensors file; None: the built-in one.

    Raises:
        WeightsError: no such file, or one that does not fit.

    Source: Lin et al., "I Don't Know You, But I Can Catch You", CCS 2024, arXiv 2406.10285.
    """

    threshold: float = 1.0
    weights: str | Path | None = None
    network: BlockCoder = field(init=False, repr=False)

    name: ClassVar[str] = "nutnet"
    sharpness: ClassVar[float] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "network", load_weights(BlockCoder(), self.name, self.weights))

    def evidence(self, image: Tensor) -> Tensor:
        """The smaller of block error and pixel error, each over its limit."""
        network = self.network.to(image.device)
        coarse, fine = network.errors(to_blocks(image.float()))
        block = coarse.view(-1, 1, 1, 1) / network.block_limit.clamp_min(_TINY)
        both = torch.minimum(fine / network.pixel_limit.clamp_min(_TINY), block)
        return F.interpolate(from_blocks(both), image.shape[-2:], mode="bilinear").to(image)
