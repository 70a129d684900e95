"""HHA in NumPy: the reference image, rooms of known geometry, missing depth, and depth without a camera."""

from dataclasses import replace

import numpy as np
import pytest
from datasets_rooms import CAMERA, SIZE, away_from_edges, rays, room, turned
from PIL import Image

from rgbdsod.datasets import (
    DepthScale,
    encode_hha,
    load_dataset,
    pseudo_hha,
    read_camera,
    read_rgb,
    resized_camera,
    sample_hha,
)
from rgbdsod.datasets.hha import fast, published
from rgbdsod.datasets.hha.encode import METHODS

FLOOR, WALL, CEILING = 38, 128, 218


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "hha_demo.npz") as file:
        return dict(file)


@pytest.mark.parametrize("method", METHODS)
def test_complete_depth_gives_the_reference_image(golden, method):
    found = encode_hha(golden["depth_u16"] / golden["units_per_metre"], golden["camera"], method=method)
    assert np.array_equal(found.image, golden["hha_full"])
    assert np.allclose(found.gravity, golden["gravity_full"], atol=1e-9)
    assert found.valid.all() and found.metric


@pytest.mark.parametrize("method", METHODS)
def test_missing_depth_agrees_with_the_reference_where_it_is_no_noise(golden, method):
    metres, measured = golden["depth_u16"] / golden["units_per_metre"], golden["raw_u16"] > 0
    found = encode_hha(metres, golden["camera"], valid=measured, method=method)
    trusted = golden["support_raw"] >= 15
    apart = np.abs(found.image.astype(int) - golden["hha_raw"])[trusted]
    assert apart.max() <= 1 and (apart > 0).mean(0).max() < 0.03
    assert np.degrees(np.arccos(found.gravity @ golden["gravity_raw"])) < 0.1


def test_the_image_files_of_the_original_are_met(shared):
    """The MATLAB program's own image, of the files as they were released."""
    folder = shared / "data" / "hha_reference" / "nyu_demo"
    metres = np.asarray(Image.open(folder / "0.png")) / 10000
    found = encode_hha(metres, read_camera(folder / "camera.json").of_size(metres.shape).tolist())
    assert np.array_equal(found.image, read_rgb(folder / "matlab_hha.png"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("pitch", "roll"), [(12, 4), (3, -6), (0, 0)])
def test_a_room_has_its_known_angles_and_gravity(method, pitch, roll):
    down = turned(pitch, roll)
    depth, surface = room(down)
    found = encode_hha(depth, CAMERA, method=method)
    assert np.degrees(np.arccos(np.clip(found.gravity @ down, -1, 1))) < 0.5
    inside = away_from_edges(surface)
    expected = np.array([FLOOR, WALL, WALL, WALL, CEILING])[surface]
    assert np.abs(found.image[..., 2].astype(int) - expected)[inside].max() <= 2
    assert {0, 1} <= set(surface[inside])
    assert found.floor == pytest.approx(-1.4, abs=0.02)


def test_heights_are_centimetres_above_the_floor_and_disparity_ends_at_1_m():
    down = turned(20, 0)
    depth, surface = room(down)
    found = encode_hha(depth, CAMERA, gravity=down)
    points = depth[..., None] * rays()
    above = 100 * (1.4 - points @ down)
    assert np.abs(found.image[..., 1] - np.clip(above, 0, 255)).max() <= 1.5
    assert found.image[surface == 0][:, 1].max() <= 1
    near = encode_hha(np.full(SIZE, 0.5), CAMERA).image[..., 0]
    assert (near == 255).all()
    assert (encode_hha(np.full(SIZE, 10.0), CAMERA).image[..., 0] == 31).all()


@pytest.mark.parametrize("radius", [3, 10])
def test_a_plane_that_faces_the_camera_has_the_axis_as_its_normal(radius):
    depth, everywhere = np.full(SIZE, 2.0), np.ones(SIZE, bool)
    assert np.allclose(published.normals(depth, everywhere, CAMERA, radius), [0, 0, 1], atol=1e-6)
    angle = fast.measure(depth, everywhere, CAMERA, np.array([0, 1.0, 0])).angle
    assert np.allclose(angle, 90, atol=1e-5)


def test_a_crop_with_a_shifted_camera_has_the_same_normals_inside():
    depth, everywhere = room(turned())[0], np.ones(SIZE, bool)
    crop = (slice(20, 80), slice(30, 120))
    moved = CAMERA - np.array([[0, 0, 30], [0, 0, 20], [0, 0, 0]])
    whole = published.normals(depth, everywhere, CAMERA, 3)[crop]
    part = published.normals(depth[crop], everywhere[crop], moved, 3)
    assert np.allclose(whole[3:-3, 3:-3], part[3:-3, 3:-3], atol=1e-6)


def test_a_mirrored_image_has_the_mirrored_encoding():
    depth, _ = room(turned(9, 5))
    mirrored = CAMERA.copy()
    mirrored[0, 2] = SIZE[1] + 1 - CAMERA[0, 2]
    one, other = encode_hha(depth, CAMERA), encode_hha(depth[:, ::-1], mirrored)
    assert np.abs(one.image[:, ::-1].astype(int) - other.image).max() <= 1


def test_a_resized_camera_sees_the_same_rays():
    half = resized_camera(CAMERA, SIZE, (48, 64))
    fine, coarse = rays(), rays(half, (48, 64))
    assert np.allclose(fine.reshape(48, 2, 64, 2, 3).mean((1, 3)), coarse)


def test_holes_in_three_ways():
    depth, _ = room(turned())
    measured = np.ones(SIZE, bool)
    measured[30:60, 40:80] = False
    plain, mean, mask = (encode_hha(depth, CAMERA, valid=measured, missing=m) for m in ("reference", "mean", "mask"))
    centre = (45, 60)
    assert plain.image[centre][2] == CEILING  # no pixel was measured around: no angle
    assert np.array_equal(plain.valid, measured)
    assert np.array_equal(mean.image[centre], np.rint(plain.image[measured].mean(0)))
    assert mask.image.shape == (*SIZE, 4)
    assert mask.image[centre].tolist() == [0, 0, 0, 0] and (mask.image[measured][:, 3] == 255).all()
    assert np.array_equal(mask.image[measured][:, :3], plain.image[measured])


def test_measured_pixels_do_not_depend_on_what_fills_the_holes():
    depth, _ = room(turned())
    measured = np.random.default_rng(0).random(SIZE) > 0.2
    zeros = np.where(measured, depth, 0)
    for method in METHODS:
        one, other = (encode_hha(map_, CAMERA, valid=measured, method=method) for map_ in (depth, zeros))
        assert np.array_equal(one.image[measured], other.image[measured])
        assert np.allclose(one.gravity, other.gravity)


def test_windows_with_few_pixels_have_no_angle_and_nothing_random():
    measured = np.zeros(SIZE, bool)
    measured[::8, ::8] = True  # one pixel, or none, in any window
    found = encode_hha(np.full(SIZE, 3.0), CAMERA, valid=measured)
    assert (found.image[..., 2] == CEILING).all() and not found.valid.any()
    assert found.gravity.tolist() == [0, 1, 0]  # nothing to estimate it from


@pytest.mark.parametrize("method", METHODS)
def test_a_wall_alone_leaves_gravity_where_it_was(method):
    assert np.allclose(encode_hha(np.full(SIZE, 2.0), CAMERA, method=method).gravity, [0, 1, 0], atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 9), (1, 30), (31, 33)])
def test_any_size_works(size):
    camera = [[20, 0, size[1] / 2], [0, 20, size[0] / 2], [0, 0, 1]]
    for method in METHODS:
        found = encode_hha(np.full(size, 2.0), camera, method=method)
        assert found.image.shape == (*size, 3) and np.isfinite(found.gravity).all()


def test_gravity_can_be_given_at_any_length():
    depth, _ = room(turned())
    given = encode_hha(depth, CAMERA, gravity=5 * turned())
    assert np.allclose(given.gravity, turned())


def test_pseudo_hha_is_repeatable_and_says_what_it_is():
    sample = load_dataset("demo:real", limit=1)[0]
    one, other = pseudo_hha(sample.depth), pseudo_hha(sample.depth)
    assert np.array_equal(one.image, other.image) and not one.metric
    assert one.gravity.tolist() == [0, 1, 0]
    assert one.image[..., 0].astype(int).max() > one.image[..., 0].astype(int).min()
    assert not np.array_equal(pseudo_hha(sample.depth, estimate_gravity=True).gravity, one.gravity)


def test_a_radius_in_metres_is_a_share_of_the_range():
    scale = DepthScale(1, 5, "linear")
    assert scale.metres(0.5 - scale.share(0.1)) - scale.metres(0.5) == pytest.approx(0.1)


@pytest.mark.parametrize("kind", ["disparity", "linear"])
def test_scales_go_both_ways(kind):
    scale, depth = DepthScale(0.5, 8, kind), np.linspace(0, 1, 11)
    metres = scale.metres(depth)
    assert metres[[0, -1]].tolist() == pytest.approx([8, 0.5])
    assert np.allclose(scale.normalised(metres), depth)
    assert (np.diff(metres) < 0).all()


def test_a_sample_with_a_camera_has_metric_hha(shared):
    """Real frames in millimetres: what the loader makes of them leads back to the metres in the files."""
    root = shared / "data" / "rgbd_camera"
    data = load_dataset(root, masks="optional", depth_unit="mm", depth_range=(500, 4000), limit=1)
    camera = read_camera(root / "camera_primesense.json").matrix
    sample = replace(data[0], camera=camera)
    found = sample_hha(sample, DepthScale(0.5, 4.0, "linear"))
    raw = np.asarray(Image.open(root / "depth" / "00000.png")) / 1000
    direct = encode_hha(np.where(raw > 0, raw.clip(0.5, 4), 1), camera, valid=raw > 0)
    both = found.valid & direct.valid
    assert both.mean() > 0.7
    apart = np.abs(found.image.astype(int) - direct.image)[both]
    assert (apart <= 1).mean() > 0.99
    assert np.degrees(np.arccos(found.gravity @ [0, 1, 0])) < 45
