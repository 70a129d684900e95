"""The networks' own inputs: resizing as each release does it, polarity, channels and normalisation."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rgbdsod.models.prepare import Preparation, resize
from rgbdsod.models.table import IMAGENET_MEAN, IMAGENET_STD, MODELS, InputSpec


def random(channels: int) -> Tensor:
    return torch.rand(2, channels, 32, 48, generator=torch.Generator().manual_seed(0))


def test_rgb_is_normalised() -> None:
    spec = InputSpec(3, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    rgb = random(3)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    assert torch.allclose(Preparation(spec)(rgb, (32, 48)), (rgb - mean) / std, atol=1e-6)


def test_depth_is_flipped_then_repeated_then_normalised() -> None:
    depth = random(1)
    prepared = Preparation(MODELS["jldcf.paper"].inputs["depth"])(depth, (32, 48))
    for channel, (mean, std) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        assert torch.allclose(prepared[:, channel], (1 - depth[:, 0] - mean) / std, atol=1e-6)


def test_what_needs_no_change_comes_back_itself() -> None:
    depth = random(1)
    assert Preparation(InputSpec(1, resize="antialias"))(depth, (32, 48)) is depth


@pytest.mark.parametrize(("height", "width"), [(64, 64), (224, 100), (50, 60)])
def test_bilinear_is_that_of_opencv(height: int, width: int) -> None:
    image = np.random.default_rng(0).random((62, 116), dtype=np.float32)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.allclose(
        resize(torch.from_numpy(image)[None, None], (height, width), "bilinear")[0, 0], expected, atol=1e-4
    )


@pytest.mark.parametrize("was", [62, 116, 75, 300])
def test_nearest_is_that_of_opencv(was: int) -> None:
    row = np.arange(was, dtype=np.float32)[None].repeat(2, 0)
    expected = cv2.resize(row, (224, 2), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(resize(torch.from_numpy(row)[None, None], (2, 224), "nearest")[0, 0], expected)


def test_antialias_is_that_of_pillow() -> None:
    image = np.random.default_rng(0).random((75, 100), dtype=np.float32)
    expected = np.asarray(Image.fromarray(image, mode="F").resize((64, 48), Image.Resampling.BILINEAR))
    assert np.allclose(resize(torch.from_numpy(image)[None, None], (48, 64), "antialias")[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("how", ["bilinear", "antialias", "nearest"])
def test_every_resize_passes_gradients(how: Any) -> None:
    x = torch.rand(1, 1, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: resize(y, (5, 11), how), x)


def test_the_pipeline_of_bbsnet_is_the_official_one_up_to_its_8_bit_rounding(shared: Path) -> None:
    golden = np.load(shared / "golden" / "bbsnet.pipeline.npz")
    size = (int(np.ravel(golden["test_size"])[0]),) * 2
    for name, scale in (("rgb", min(IMAGENET_STD)), ("depth", 1.0)):
        image = np.atleast_3d(golden[f"{name}_u8"]).transpose(2, 0, 1)[None]
        x = torch.from_numpy(image.astype(np.float32) / 255)
        prepared = Preparation(MODELS["bbsnet.paper"].inputs[name])(x, size)
        assert np.abs(prepared.numpy() - golden[f"input_{name}"]).max() < 1.01 / 255 / scale
