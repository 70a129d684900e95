"""From an input in [0, 1] to what a network was trained on: size, polarity, channels, mean and std; differentiable."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.models.table import InputSpec, Resize


class Preparation(nn.Module):
    """Makes a network's own input. Flipping, repeating and normalising are one multiplication and one addition.

    Args:
        spec: how the network wants the input.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.spec = spec
        channels = spec.channels * spec.repeat
        mean = torch.tensor(spec.mean or (0.0,) * channels, dtype=torch.float64)
        std = torch.tensor(spec.std or (1.0,) * channels, dtype=torch.float64)
        sign, start = (-1, 1) if spec.near == "dark" else (1, 0)
        self.plain = spec.repeat == 1 and spec.mean is None and spec.std is None and spec.near == "bright"
        self.register_buffer("scale", (sign / std).float().view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", ((start - mean) / std).float().view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """The network's own input.

        Args:
            x: (B, spec.channels, H, W) in [0, 1]; depth has near = 1.
            size: height and width that the network works at.

        Returns:
            (B, spec.channels * spec.repeat, *size); `x` itself where nothing changes.
        """
        x = resize(x, size, self.spec.resize)
        return x if self.plain else torch.addcmul(self.shift, x, self.scale)


def resize(x: Tensor, size: tuple[int, int], how: Resize) -> Tensor:
    """Change height and width; a map that has the size already is returned as it is.

    Args:
        x: (B,C,H,W).
        size: new height and width.
        how: "bilinear" as OpenCV does it, "antialias" as Pillow's bilinear filter, or "nearest" as OpenCV does it.
    """
    if x.shape[-2:] == size:
        return x
    if how == "nearest":
        rows, columns = (_nearest(was, new, x.device) for was, new in zip(x.shape[-2:], size, strict=True))
        return x.index_select(-2, rows).index_select(-1, columns)
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=how == "antialias")


def _nearest(was: int, new: int, device: torch.device) -> Tensor:
    """Source indices by OpenCV's rule; PyTorch's own rule differs at one side length in ten.

    The order of the two divisions matters, and so does float64, which Apple's GPUs lack.
    """
    place = torch.device("cpu") if device.type == "mps" else device
    steps = torch.arange(new, dtype=torch.float64, device=place) * (1 / (new / was))
    return steps.floor().long().clamp(max=was - 1).to(device)
