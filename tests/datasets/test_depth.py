"""From the numbers in a depth file to depth in [0, 1] with near = 1."""

import numpy as np
import pytest
from datasets_files import SIZE, depth_array, make_set, save

from rgbdsod.datasets import (
    Augmentation,
    DepthConvention,
    DepthScale,
    augment,
    encode_hha,
    load_dataset,
    resized,
    sample_hha,
)
from rgbdsod.datasets.depth import decode
from rgbdsod.errors import DataError, UsageError


def test_8_bit_is_taken_as_it_is():
    raw = np.array([[0, 51, 204]], np.uint8)
    bright, dark = (decode(raw, DepthConvention(near)) for near in ("bright", "dark"))
    assert np.allclose(bright.depth, [[0, 0.2, 0.8]])
    assert np.allclose(dark.depth, [[1, 0.8, 0.2]])
    assert bright.valid.all() and bright.levels == 255


def test_16_bit_is_stretched_between_its_measured_values_and_0_is_missing():
    raw = np.array([[0, 1000, 2000, 5000]], np.uint16)
    found = decode(raw, DepthConvention("dark"))
    assert found.valid.tolist() == [[False, True, True, True]]
    assert np.allclose(found.depth, [[1, 1, 0.75, 0]], atol=1e-5)  # the hole has the value of its neighbour
    assert found.levels == 65535


def test_16_bit_without_holes_is_valid_all_over():
    assert decode(np.array([[5, 6]], np.uint16), DepthConvention()).valid.all()


@pytest.mark.parametrize(("limits", "expected"), [((1000, 5000), [0, 0.25, 1]), ((0, 10000), [0.1, 0.2, 0.5])])
def test_a_given_range_replaces_the_stretch(limits, expected):
    raw = np.array([[1000, 2000, 5000]], np.uint16)
    assert np.allclose(decode(raw, DepthConvention(value_range=limits)).depth, [expected], atol=1e-5)


def test_values_outside_the_range_are_clipped():
    raw = np.array([[10, 20, 30, 40]], np.uint8)
    assert decode(raw, DepthConvention(value_range=(20, 30))).depth.tolist() == [[0, 0, 1, 1]]


def test_a_range_from_0_means_that_0_was_measured():
    raw = np.array([[0, 65535]], np.uint16)
    assert decode(raw, DepthConvention(value_range=(0, 65535))).valid.all()
    assert decode(raw, DepthConvention(value_range="full")).valid.all()
    assert not decode(raw, DepthConvention(value_range=(1, 65535))).valid.all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_in_millimetres_0_is_missing_in_any_file(dtype):
    found = decode(np.array([[0, 100, 200]], dtype), DepthConvention("dark", unit="mm"))
    assert found.valid.tolist() == [[False, True, True]]
    assert np.allclose(found.depth, [[1, 1, 0]])


def test_floats_in_the_unit_range_are_left_alone_and_others_are_stretched():
    assert np.allclose(decode(np.array([[0.2, 0.7]], np.float32), DepthConvention()).depth, [[0.2, 0.7]], atol=1e-5)
    assert np.allclose(decode(np.array([[2.0, 3, 4]], np.float32), DepthConvention()).depth, [[0, 0.5, 1]], atol=1e-5)


@pytest.mark.parametrize("value", [0, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_flat_depth_becomes_one_half(dtype, value):
    found = decode(np.full(SIZE, value, dtype), DepthConvention("dark"))
    assert found.constant and (found.depth == 0.5).all()
    assert found.valid.all() == (dtype is np.uint8 or value > 0)


def test_flat_depth_is_told(tmp_path):
    make_set(tmp_path)
    save(tmp_path / "depth/2.png", np.full(SIZE, 9, np.uint8))
    data = load_dataset(tmp_path)
    assert data.warnings == ["depth is constant, so it was set to 0.5: 2"]
    assert (data[1].depth == 0.5).all()


@pytest.mark.parametrize("levels_dtype", [np.uint8, np.uint16])
def test_values_lie_on_the_grid_of_the_file(tmp_path, levels_dtype):
    sample = load_dataset(make_set(tmp_path, dtype=levels_dtype))[0]
    assert sample.depth_levels == np.iinfo(levels_dtype).max
    steps = sample.depth.astype(np.float64) * sample.depth_levels
    assert np.abs(steps - steps.round()).max() < 0.01


def test_the_flag_flips_and_the_record_says_so(tmp_path):
    root = make_set(tmp_path)
    bright, dark = load_dataset(root), load_dataset(root, depth_invert=True)
    assert np.allclose(bright[0].depth + dark[0].depth, 1)
    assert "near is bright" in bright.convention and "near is dark" in dark.convention


def test_millimetres_are_distances_unless_told_otherwise(tmp_path):
    root = make_set(tmp_path, dtype=np.uint16)
    relative = load_dataset(root)[0].depth
    assert np.allclose(load_dataset(root, depth_unit="mm")[0].depth, 1 - relative, atol=2e-5)
    assert np.allclose(load_dataset(root, depth_unit="mm", depth_invert=False)[0].depth, relative, atol=2e-5)
    limits = load_dataset(root, depth_unit="mm", depth_range=(0, 65535))
    assert np.allclose(limits[0].depth, 1 - depth_array() / 255, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"depth_range": (5, 5)}, "--depth-range 5,5 is no range"),
        ({"depth_range": (9, 2)}, "the first value must be the smaller"),
        ({"depth_range": (0, float("nan"))}, "no range"),
        ({"depth_unit": "feet"}, '--depth-unit feet is not known; expected "mm" or "relative"'),
    ],
)
def test_wrong_settings_are_explained(tmp_path, arguments, words):
    with pytest.raises(UsageError, match=words):
        load_dataset(make_set(tmp_path), **arguments)


@pytest.mark.parametrize("name", ["demo", "scenes:2@16x16"])
def test_built_in_depth_cannot_be_read_otherwise(name):
    with pytest.raises(UsageError, match="is fixed"):
        load_dataset(name, depth_invert=True)


def test_resized_depth_mixes_no_hole_with_a_measurement(tmp_path):
    make_set(tmp_path, ("1",), dtype=np.uint16)
    small = depth_array((6, 8), np.uint16)
    small[1, 1:3] = 0
    save(tmp_path / "depth/1.png", small)
    sample = load_dataset(tmp_path, resize_depth=True)[0]
    assert sample.depth.shape == SIZE and (~sample.valid).sum() == 8
    measured = small[small > 0].astype(float)
    allowed = (measured - measured.min()) / np.ptp(measured)
    assert all(np.abs(allowed - value).min() < 2e-5 for value in np.unique(sample.depth))


def test_resized_depth_without_holes_is_smooth_and_on_the_grid(tmp_path):
    make_set(tmp_path, ("1",))
    save(tmp_path / "depth/1.png", depth_array((6, 8)))
    sample = load_dataset(tmp_path, resize_depth=True)[0]
    assert len(np.unique(sample.depth)) > len(np.unique(depth_array((6, 8))))
    steps = sample.depth.astype(np.float64) * 255
    assert np.abs(steps - steps.round()).max() < 1e-3


def test_jpeg_depth_is_told_and_read(tmp_path):
    data = load_dataset(make_set(tmp_path, depth="depth/{}.jpg"))
    (warning,) = data.warnings
    assert "are JPEG (3 of 3)" in warning
    assert data[0].depth.shape == SIZE


def test_grey_depth_in_three_channels(tmp_path):
    make_set(tmp_path)
    save(tmp_path / "depth/2.png", np.repeat(depth_array()[..., None], 3, axis=2))
    assert np.array_equal(load_dataset(tmp_path)[1].depth, load_dataset(tmp_path)[0].depth)


TOML = """
name = "mine"
near = "dark"
depth_range = [0, 255]
salient = "either"
group = '^(film\\d)'
licence = "CC0"
source = "here"
"""


def test_a_folder_may_describe_itself(tmp_path):
    make_set(tmp_path, ("film1-001", "film1-002", "other"))
    (tmp_path / "rgbdsod.toml").write_text(TOML)
    data = load_dataset(tmp_path)
    assert data.name == "mine" and "near is dark; 0 to 255" in data.convention
    assert np.allclose(data[0].depth, 1 - depth_array() / 255)
    assert [sample.group for sample in data] == ["film1", "film1", None]
    assert data.warnings == []
    assert np.allclose(
        load_dataset(tmp_path, depth_invert=False)[0].depth, depth_array() / 255
    )  # a flag has the last word


def test_a_split_inherits_the_description_of_its_role_folders(tmp_path):
    make_set(tmp_path, rgb="RGB/test/{}.jpg", depth="depth/test/{}.png", mask="GT/test/{}.png")
    (tmp_path / "rgbdsod.toml").write_text('near = "dark"\nsalient = "farther"')
    assert "near is dark" in load_dataset(tmp_path / "test").convention


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("near = ", "is no TOML file"),
        ('nearest = "dark"', 'unknown field "nearest"; it may have name, near'),
        ('near = "black"', 'near is "black"; expected "bright" or "dark"'),
        ("depth_range = [1]", "rgbdsod.toml: "),
        ('depth_unit = "inch"', "depth-unit inch"),
        ('salient = "odd"', 'salient is "odd"'),
        ('group = "("', "rgbdsod.toml: "),
        ("name = 5", "name is 5; expected text"),
        ('group = "abc"', "with a .group."),
        ("camera = [50, 50, 16]", r"camera is .50, 50, 16.; expected .fx, fy, cx, cy."),
        ("camera = [50, -50, 16, 12]", "all above 0"),
        ('camera = "camera.json"', "expected .fx, fy, cx, cy."),
        ("camera = [500, 500, 320, 240]", "id 1: the camera's centre .320, 240. lies.*rgbdsod.toml"),
    ],
)
def test_a_wrong_description_is_explained(tmp_path, text, words):
    make_set(tmp_path)
    (tmp_path / "rgbdsod.toml").write_text(text)
    with pytest.raises(DataError, match=words):
        load_dataset(tmp_path)


def test_a_folder_may_know_its_camera_and_its_metres(tmp_path):
    make_set(tmp_path)
    height, width = depth_array().shape
    before = load_dataset(tmp_path, depth_unit="mm", depth_range=(500, 4500))
    assert before[0].camera is None and before[0].scale == DepthScale(0.5, 4.5, "linear")
    (tmp_path / "rgbdsod.toml").write_text(f"camera = [50, 60.5, {width / 2}, {height / 2}]")
    data = load_dataset(tmp_path)
    assert data[0].camera.tolist() == [[50, 0, width / 2], [0, 60.5, height / 2], [0, 0, 1]]
    assert data[0].scale is None and load_dataset(tmp_path, depth_range=(0, 255))[0].scale is None
    metric = load_dataset(tmp_path, depth_unit="mm", depth_range=(500, 4500))
    assert metric.fingerprint != before.fingerprint
    sample = metric[0]
    half = resized(sample, (height // 2, width // 2))
    assert half.camera[0, 0] == 25 * (width // 2) / (width / 2) and half.scale == sample.scale
    assert augment(sample, np.random.default_rng(0), Augmentation()).camera is None
    direct = encode_hha(sample.scale.metres(sample.depth.astype(float)), sample.camera, valid=sample.valid)
    assert np.array_equal(sample_hha(sample).image, direct.image)
    with pytest.raises(UsageError, match=r"depth without a scale.*depth_range"):
        sample_hha(data[0])
