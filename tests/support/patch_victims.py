"""Images with a patch, for tests of the defences."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from rgbdsod.datasets import ShapeScenes, boxed_batch
from rgbdsod.types import Objects


def photographs(shared: Path) -> tuple[Tensor, Tensor]:
    """The photographs that show a real patch, (8,3,224,224) in [0, 1], and where it is, bool (8,1,224,224)."""
    root = shared / "data" / "patched_images"
    names = sorted(json.loads((root / "boxes.json").read_text())["boxes"])
    images = [np.array(Image.open(root / "images" / f"{name}.jpg").convert("RGB")) for name in names]
    masks = [np.array(Image.open(root / "masks" / f"{name}.png").convert("L")) for name in names]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255.0, torch.from_numpy(np.stack(masks))[
        :, None
    ] > 128


def overlap(found: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of each image's masks, (B,)."""
    both, either = (found & truth).flatten(1).sum(1), (found | truth).flatten(1).sum(1)
    return both / either.clamp_min(1)


def scenes(count: int, side: int = 48, seed: int = 0) -> dict[str, Tensor]:
    """Smooth RGB-D images, the second half with a square of noise in both."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 4, 4, 4, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    images[count // 2 :, :, 8:24, 16:32] = torch.rand(count - count // 2, 4, 16, 16, generator=generator)
    return {"rgb": images[:, :3].contiguous(), "depth": images[:, 3:].contiguous()}


class Pair(nn.Module):
    """A saliency network with an encoder of four sizes for each input; a bright place excites all of its layers."""

    inputs = ("rgb", "depth")
    name = "pair"

    def __init__(self, strides: Sequence[int] = (2, 2, 2, 2)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rgb, self.depth = (_encoder(channels, strides) for channels in (3, 1))
        self.eval()

    def encode(self, name: str, x: Tensor) -> Tensor:
        """The map of one encoder."""
        found: Tensor = (self.rgb if name == "rgb" else self.depth)(x)
        return found.mean(1, keepdim=True)

    def fuse(self, features: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Both maps, enlarged."""
        return torch.nn.functional.interpolate(features["rgb"] + features["depth"], size, mode="bilinear") - 1


def _encoder(channels: int, strides: Sequence[int]) -> nn.Sequential:
    layers, before = [], channels
    for stride in strides:
        convolution = nn.Conv2d(before, 8, 3, stride, 1, padding_mode="replicate")
        with torch.no_grad():
            convolution.weight.uniform_(0, 2 / (9 * before))
            convolution.bias.zero_()
        layers.append(nn.Sequential(convolution, nn.Softplus()))
        before = 8
    return nn.Sequential(*layers)


def pair_images(count: int, seed: int = 1) -> dict[str, Tensor]:
    """Smooth dark RGB-D images of 64 pixels."""
    coarse = 0.4 * torch.rand(count, 4, 5, 5, generator=torch.Generator().manual_seed(seed))
    images = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")
    return {"rgb": images[:, :3].contiguous(), "depth": images[:, 3:].contiguous()}


def detector_images(count: int, seed: int = 11) -> tuple[Tensor, list[Objects]]:
    """Generated shapes, and what they are."""
    images, objects = boxed_batch(list(ShapeScenes(count, seed=seed)))
    return images, list(objects)
