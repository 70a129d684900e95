"""The releases' loaders and post-processing: equal to the golden pipelines from decoded image to saved map."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models_official_golden import load_fill, strengthen

from rgbdsod.errors import UsageError
from rgbdsod.models.bbsnet import bbsnet_paper
from rgbdsod.models.d3net import d3net_paper
from rgbdsod.models.depurator import depurate
from rgbdsod.models.official import MEAN, STD, official_inputs, official_map

IMAGE = np.random.default_rng(0).integers(0, 256, (62, 116, 3), dtype=np.uint8)
DEPTH = np.random.default_rng(1).integers(0, 256, (62, 116), dtype=np.uint8)


def levels_apart(own: torch.Tensor, expected: np.ndarray) -> int:
    return int(np.abs(own.numpy().astype(int) - expected.astype(int)).max())


def test_bbsnet_from_image_to_map(shared: Path) -> None:
    golden = np.load(shared / "golden" / "bbsnet.pipeline.npz")
    side = int(golden["test_size"])
    rgb, depth = official_inputs("bbsnet", golden["rgb_u8"], golden["depth_u8"], (side, side))
    np.testing.assert_allclose(rgb[0].numpy(), golden["input_rgb"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(depth[0].numpy(), golden["input_depth"], rtol=0, atol=1e-5)
    with torch.no_grad():
        outputs = load_fill(shared).fill(bbsnet_paper())(rgb, depth)
    saved = official_map("bbsnet", outputs, golden["gt_u8"].shape)
    assert saved.dtype == torch.uint8
    assert levels_apart(saved[0], golden["map_u8"]) <= 1


def test_d3net_from_image_to_map(shared: Path) -> None:
    golden = np.load(shared / "golden" / "d3net.pipeline.npz")
    height, width = golden["size"].tolist()
    rgb, depth = official_inputs("d3net", golden["rgb_u8"], golden["depth_u8"], (height, width))
    np.testing.assert_allclose(rgb[0].numpy(), golden["input_rgb"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(depth[0].numpy(), golden["input_depth"], rtol=0, atol=1e-6)
    network, shape = d3net_paper(), golden["gt_u8"].shape
    for stream in (network.rgbnet, network.rgbdnet, network.depthnet):
        load_fill(shared).fill(stream)
        strengthen(stream)
    with torch.no_grad():
        outputs = network(rgb, depth)
    for name in ("rgb", "rgbd", "depth"):
        np.testing.assert_allclose(outputs[name][0, 0].numpy(), golden[f"s_{name}"], rtol=0, atol=1e-5)
    result = depurate(outputs["rgb"], outputs["rgbd"], outputs["depth"], shape)
    assert result.distance.item() == pytest.approx(float(golden["ddu"]), abs=1e-5)
    assert result.keep_depth.item() == golden["keep_depth"]
    assert levels_apart(official_map("d3net", outputs, shape)[0], golden["prediction_u8"]) <= 1
    assert torch.equal(network.predict_maps(outputs, shape), official_map("d3net", outputs, shape))


def test_d3net_takes_the_nearest_depth_by_the_index_rule() -> None:
    """62 rows and 116 columns to 224: PyTorch's own nearest interpolation takes other pixels there."""
    _, depth = official_inputs("d3net", IMAGE, DEPTH, (224, 200))
    rows, columns = (
        np.minimum(np.floor(np.arange(out) * (1 / (out / side))).astype(int), side - 1)
        for out, side in ((224, 62), (200, 116))
    )
    np.testing.assert_array_equal((depth[0, 0].numpy() * 255).round(), DEPTH[np.ix_(rows, columns)])


def test_jldcf_inputs_are_interpolated_in_floating_point() -> None:
    rgb, depth = official_inputs("jldcf", IMAGE, DEPTH, (48, 80))
    for own, image in ((rgb, IMAGE), (depth, np.repeat(DEPTH[..., None], 3, axis=2))):
        pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32))
        resized = F.interpolate(pixels, size=(48, 80), mode="bilinear", align_corners=False)
        expected = (resized / 255 - torch.from_numpy(MEAN)[:, None, None]) / torch.from_numpy(STD)[:, None, None]
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-4)


def test_jldcf_map_keeps_its_corners_and_is_stretched() -> None:
    logits = torch.tensor([[[[-1.0, 0.0], [0.0, 2.0]]]])
    saved = official_map("jldcf", {"final": logits}, (5, 5))
    assert (saved[0, 0, 0], saved[0, 4, 4]) == (0, 255)
    along_the_top = torch.sigmoid(torch.linspace(-1, 0, 5))
    low, high = torch.sigmoid(torch.tensor([-1.0, 2.0]))
    assert saved[0, 0].tolist() == (255 * (along_the_top - low) / (high - low)).round().tolist()


@pytest.mark.parametrize("architecture", ["bbsnet", "jldcf"])
def test_maps_are_stretched_one_by_one_and_a_flat_one_is_black(architecture: str) -> None:
    logits = torch.stack([torch.full((1, 4, 4), 3.0), torch.linspace(-0.1, 0.1, 16).reshape(1, 4, 4)])
    saved = official_map(architecture, {"final": logits}, (4, 4))
    assert saved[0].unique().tolist() == [0]
    assert (saved[1].min(), saved[1].max()) == (0, 255)


@pytest.mark.parametrize("architecture", ["bbsnet", "jldcf", "d3net"])
def test_inputs_have_the_asked_height_and_width(architecture: str) -> None:
    rgb, depth = official_inputs(architecture, IMAGE, DEPTH, (64, 96))
    assert rgb.shape == (1, 3, 64, 96)
    assert depth.shape == (1, 3 if architecture == "jldcf" else 1, 64, 96)


def test_wrong_arrays_and_names_are_refused() -> None:
    with pytest.raises(UsageError, match=r"uint8 arrays .* but got float32 \(62, 116, 3\)"):
        official_inputs("bbsnet", IMAGE.astype(np.float32), DEPTH, (64, 64))
    with pytest.raises(UsageError, match=r"of one size, but got .* and uint8 \(61, 116\)"):
        official_inputs("bbsnet", IMAGE, DEPTH[1:], (64, 64))
    with pytest.raises(UsageError, match='no official rules for "unet"; there are some for bbsnet, jldcf, d3net'):
        official_map("unet", {}, (64, 64))
