"""A small staged network without weights that finds what stands out, and sets of few scenes, for tests of runs."""

import torch
import torch.nn.functional as F
from torch import nn

from rgbdsod.datasets import Scenes
from rgbdsod.models import SaliencyModel, wrap


class StandsOut(nn.Module):
    """Logits grow with the distance from the image's mean colour and mean depth."""

    inputs = ("rgb", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([9.0, 14.0]))
        self.calls = 0

    def encode(self, name: str, x: torch.Tensor) -> torch.Tensor:
        smooth = F.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
        difference = smooth - x.mean((-2, -1), keepdim=True)
        return difference.square().sum(1, keepdim=True).add(1e-6).sqrt() if name == "rgb" else difference

    def fuse(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.calls += 1
        return {"final": self.gain[0] * features["rgb"] + self.gain[1] * features["depth"] - 4.5}

    def forward(self, rgb: torch.Tensor, depth: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.fuse({"rgb": self.encode("rgb", rgb), "depth": self.encode("depth", depth)})


def tiny() -> SaliencyModel:
    """The network, wrapped, in evaluation mode."""
    return wrap(StandsOut(), name="tiny").eval()


def scenes(count: int = 4, side: int = 32) -> Scenes:
    """A few scenes."""
    return Scenes(count, size=(side, side), seed=3)
