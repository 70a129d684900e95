"""Operators that combine what two maps say at one place, without looking at others."""

import torch
from torch import Tensor, nn


class Sum(nn.Module):
    """r + d."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        return rgb + depth


class Mean(nn.Module):
    """(r + d) / 2."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        return (rgb + depth) / 2


class Weighted(nn.Module):
    """a r + b d with a learned a and b for each channel; begins as the sum.

    Args:
        width: channels of each map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_rgb = nn.Parameter(torch.ones(width, 1, 1))
        self.of_depth = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        return self.of_rgb * rgb + self.of_depth * depth


class Concat(nn.Module):
    """Both maps side by side, and a 1x1 convolution back to the channels of one.

    Args:
        width: channels of each map.
        bottleneck: channels between two 1x1 convolutions, which saves parameters at wide levels; None: one
            convolution.
    """

    def __init__(self, width: int, bottleneck: int | None = None) -> None:
        super().__init__()
        if bottleneck is None:
            self.mix: nn.Module = nn.Conv2d(2 * width, width, 1, bias=False)
        else:
            self.mix = nn.Sequential(nn.Conv2d(2 * width, bottleneck, 1), nn.ReLU(), nn.Conv2d(bottleneck, width, 1))

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        mixed: Tensor = self.mix(torch.cat([rgb, depth], dim=1))
        return mixed


class Gate(nn.Module):
    """g r + (1 - g) d, where g in (0, 1) is computed from both at each place and channel.

    Args:
        width: channels of each map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.decide = nn.Conv2d(2 * width, width, 1)

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        share = torch.sigmoid(self.decide(torch.cat([rgb, depth], dim=1)))
        return share * rgb + (1 - share) * depth
