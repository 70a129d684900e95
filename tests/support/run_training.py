"""A network of two encoders, small enough to be trained by every method in a test, and its row among the models."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.models import MODELS, InputSpec, ModelRow
from rgbdsod.run.train import train
from rgbdsod.run.trainer import TrainResult

NAME = "two-cones"
SIDE = 32
WIDTH = 8


class TwoCones(nn.Module):
    """An encoder with BatchNorm for each input, and one convolution over the features of both."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({name: _cone(channels) for name, channels in (("rgb", 3), ("depth", 1))})
        self.say = nn.Conv2d(2 * WIDTH, 1, 3, padding=1)

    def streams(self) -> Mapping[str, nn.Module]:
        """The two encoders, for losses that compare them."""
        return dict(self.encoders.items())

    def encode(self, name: str, x: Tensor) -> Tensor:
        """Features (B,WIDTH,h,w) of one input, an eighth of its size."""
        found: Tensor = self.encoders[name](x)
        return found

    def fuse(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits of both inputs' features."""
        logits = self.say(torch.cat([features["rgb"], features["depth"]], 1))
        return {"final": F.interpolate(logits, scale_factor=8, mode="bilinear")}

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """Both steps."""
        return self.fuse({"rgb": self.encode("rgb", rgb), "depth": self.encode("depth", depth)})


def _cone(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (channels, WIDTH, WIDTH):
        layers += [nn.Conv2d(before, WIDTH, 3, 2, 1), nn.BatchNorm2d(WIDTH), nn.ReLU()]
    return nn.Sequential(*layers)


@contextmanager
def two_cones() -> Iterator[str]:
    """While it lasts, the network has a name that `train` knows."""
    row = ModelRow(NAME, "unet", f"{__name__}:TwoCones", {"rgb": InputSpec(3), "depth": InputSpec(1)}, (SIDE, SIDE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS._rows, NAME, row)
        yield NAME


def trained(out: Path, model: str = NAME, **changes: Any) -> TrainResult:
    """A training of three steps on two images each, validated after the second and the third."""
    settings = {
        "data": f"scenes:24@{SIDE}x{SIDE}", "val": f"scenes:1@{SIDE}x{SIDE}#1", "iterations": 3, "batch": 2,
        "validate_every": 2,
    }  # fmt: skip
    return train(model, out=out, workers=0, device="cpu", **(settings | changes))


def saved(folder: Path, name: str = "last") -> dict[str, dict[str, Tensor]]:
    """A checkpoint of a training."""
    found: dict[str, dict[str, Tensor]] = torch.load(folder / "checkpoints" / f"{name}.pt", weights_only=True)
    return found
