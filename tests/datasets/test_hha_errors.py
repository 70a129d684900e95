"""What cannot be encoded is refused in one sentence that says what to do."""

import json

import numpy as np
import pytest
import torch
from datasets_rooms import CAMERA

from rgbdsod.datasets import (
    DepthScale,
    HHAEncoder,
    encode_hha,
    load_dataset,
    pseudo_hha,
    read_camera,
    resized_camera,
    sample_hha,
)
from rgbdsod.errors import DataError, UsageError

FLAT = np.full((96, 128), 2.0)


def spoiled(value):
    depth = FLAT.copy()
    depth[3, 4] = value
    return depth


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        (spoiled(np.nan), "1 values that are not finite"),
        (spoiled(-1), "down to -1 m"),
        (spoiled(0), "0 at 1 pixels that count as measured; fill them, or pass valid=depth > 0"),
        (FLAT * 1000, "are these millimetres"),
        (FLAT[None], r"\(H, W\) in metres"),
    ],
)
def test_depth_that_is_not_in_metres(depth, said):
    with pytest.raises(UsageError, match=said):
        encode_hha(depth, CAMERA)


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (None, "metric HHA needs a camera matrix.*pseudo_hha"),
        (np.eye(2), "pass a 3x3 matrix"),
        (np.full((3, 3), np.nan), "pass a 3x3 matrix"),
        (-CAMERA, "fx, fy > 0"),
        (CAMERA.T, r"expected \[\[fx, 0, cx\]"),
        (CAMERA * [[1, 1, 9], [1, 1, 9], [1, 1, 1]], "outside of the 128x96 image"),
        (resized_camera(CAMERA, (96, 128), (192, 256)), "resized_camera after a resize"),
    ],
)
def test_cameras_that_do_not_fit(camera, said):
    with pytest.raises(UsageError, match=said):
        encode_hha(FLAT, camera)
    with pytest.raises(UsageError, match=said):
        HHAEncoder(camera)(torch.full((1, 1, 96, 128), 2.0))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"missing": "none"}, "expected reference, mean, mask"),
        ({"method": "slow"}, "expected fast or published"),
        ({"gravity": (0, 0, 0)}, "pass a direction"),
        ({"valid": np.ones((3, 3), bool)}, "valid has shape"),
    ],
)
def test_settings_that_mean_nothing(settings, said):
    with pytest.raises(UsageError, match=said):
        encode_hha(FLAT, CAMERA, **settings)


def test_a_sample_without_a_camera_is_told_what_to_do():
    sample = load_dataset("scenes:1@32x32")[0]
    with pytest.raises(UsageError, match=r"no camera matrix.*pseudo_hha\(sample.depth\)"):
        sample_hha(sample, DepthScale())


def test_relative_depth_is_in_the_unit_range():
    with pytest.raises(UsageError, match="metres with a camera to encode_hha"):
        pseudo_hha(FLAT)


@pytest.mark.parametrize("numbers", [(2, 1), (0, 1), (-1, 2)])
def test_scales_run_from_near_to_far(numbers):
    with pytest.raises(UsageError, match="0 < near < far"):
        DepthScale(*numbers)
    with pytest.raises(UsageError, match="needs a linear scale"):
        DepthScale().share(0.1)
    with pytest.raises(UsageError, match='expected "disparity" or "linear"'):
        DepthScale(1, 2, "log")


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"every": 0}, "every is 0"), ({"through": ("sky",)}, "gravity, floor"), ({"missing": "no"}, "reference")],
)
def test_encoder_settings(settings, said):
    with pytest.raises(UsageError, match=said):
        HHAEncoder(CAMERA, **settings)


def test_what_the_encoder_takes():
    encoder = HHAEncoder(CAMERA)
    with pytest.raises(UsageError, match=r"\(B, 1, H, W\)"):
        encoder(torch.ones(2, 3, 96, 128))
    with pytest.raises(UsageError, match="pass a scale"):
        encoder.held(torch.zeros(1, 1, 96, 128))
    with pytest.raises(UsageError, match="millimetres"):
        encoder.held(torch.full((1, 1, 96, 128), 2000.0))
    held = encoder.held(torch.full((2, 1, 96, 128), 2.0))
    with pytest.raises(UsageError, match="held for 2 images but depth has 3"):
        held(torch.full((3, 1, 96, 128), 2.0))


@pytest.mark.parametrize(
    ("name", "text"),
    [("c.json", "{}"), ("c.json", "nothing"), ("c.txt", "1 2 3"), ("c.txt", "a b c d"), ("c.json", '{"K": "x"}')],
)
def test_files_without_a_camera(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=r"holds no camera.*fx, fy, cx, cy"):
        read_camera(tmp_path / name)


def test_cameras_as_they_are_written(tmp_path):
    wanted = [[5, 0, 3], [0, 6, 4], [0, 0, 1]]
    (tmp_path / "a.txt").write_text("5 0 3\n0 6 4\n0 0 1\n")
    (tmp_path / "b.json").write_text(json.dumps({"K": wanted, "width": 6, "height": 8}))
    (tmp_path / "c.json").write_text(json.dumps({"intrinsic_matrix": [5, 0, 0, 0, 6, 0, 2, 3, 1]}))
    (tmp_path / "d.json").write_text(json.dumps(wanted))
    np.save(tmp_path / "e.npy", np.array(wanted))
    for source in (*(tmp_path / name for name in ("a.txt", "b.json", "c.json", "d.json", "e.npy")), "5,6,3,4"):
        assert read_camera(source).matrix.tolist() == wanted, source
    assert read_camera(tmp_path / "b.json").of_size((8, 6)).tolist() == wanted
    with pytest.raises(UsageError, match="for 6x8 images but depth is 7x8"):
        read_camera(tmp_path / "b.json").of_size((8, 7))
    with pytest.raises(UsageError, match="is no file"):
        read_camera("nowhere.json")
