"""A small network whose streams meet at two places, and data sets of samples that are given, for interventions."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from run_models import StandsOut, scenes
from torch import Tensor, nn

from rgbdsod.datasets import Dataset, Sample
from rgbdsod.fusion.operators import fusion_operator
from rgbdsod.models import SaliencyModel, wrap


class TwoPlaces(StandsOut):
    """Logits as of `StandsOut`, in two summands: one of each input as it is, and one of it at half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = (fusion_operator("sum", 1) for _ in range(2))

    def meetings(self) -> dict[str, nn.Module]:
        return {"fine": self.fine, "coarse": self.coarse}

    def fuse(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        maps = {name: gain * features[name] for name, gain in zip(self.inputs, self.gain, strict=True)}
        small = {name: nn.functional.avg_pool2d(x, 2) for name, x in maps.items()}
        coarse = nn.functional.interpolate(self.coarse(small["rgb"], small["depth"]), scale_factor=2)
        return {"final": (self.fine(maps["rgb"], maps["depth"]) + coarse) / 2 - 4.5}


def two_places() -> SaliencyModel:
    """The network, wrapped, in evaluation mode."""
    return wrap(TwoPlaces(), name="two places").eval()


class Given(Dataset):
    """These samples."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__("given", [sample.id for sample in samples], convention="as they are")
        self.samples = list(samples)

    def read(self, position: int) -> Sample:
        return self.samples[position]

    def size(self, position: int) -> tuple[int, int]:
        return self.samples[position].size

    def digest(self, position: int) -> str:
        return self.samples[position].id


def mixed(sides: Sequence[int]) -> Given:
    """Scenes of these sides, one after the other."""
    return Given([replace(scenes(len(sides), side)[at], id=f"{at}") for at, side in enumerate(sides)])


def random_inputs(count: int = 2, side: int = 64) -> dict[str, Tensor]:
    """RGB and depth in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    return {
        "rgb": torch.rand(count, 3, side, side, generator=generator),
        "depth": torch.rand(count, 1, side, side, generator=generator),
    }
