"""Depth enhancement: a depth feature is gated by channel, then by place, before it joins the RGB stream."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 16
"""How many times narrower the hidden layer of the channel gate is."""

NARROWEST = 4
"""Hidden channels of the channel gate at the least, so that narrow encoders keep one that can express something."""


class ChannelGate(nn.Module):
    """Scales each channel by a number in (0, 1) that is computed from the channels' maxima.

    Args:
        width: channels of the feature.

    Source:
        Fan et al., BBS-Net (ECCV 2020), section 3.3: channel attention of the depth-enhanced module.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(width // REDUCTION, NARROWEST)
        self.fc1 = nn.Conv2d(width, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The scaled feature, (B,C,H,W) like `x`."""
        # This pooling sends the gradient of a maximum to one pixel; `amax` would share it among equals.
        peak = F.adaptive_max_pool2d(x, 1)
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(peak))))


class SpatialGate(nn.Module):
    """Scales each pixel by a number in (0, 1) that is computed from the pixels' largest channel.

    Source:
        Fan et al., BBS-Net (ECCV 2020), section 3.3: spatial attention of the depth-enhanced module.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The scaled feature, (B,C,H,W) like `x`."""
        strongest = x.max(dim=1, keepdim=True).values
        return x * torch.sigmoid(self.conv1(strongest))
