"""Transformations: gradients, seeds, batches, and what a printer minds."""

import cv2
import numpy as np
import pytest
import torch
from attacks_problems import rand
from torch.nn.functional import interpolate, pad

from rgbdsod.attacks.patch.placement import poses
from rgbdsod.attacks.patch.printing import total_variation, unprintable, usual_palette
from rgbdsod.attacks.patch.transforms import camera, ink
from rgbdsod.attacks.patch.transforms.coding import coded
from rgbdsod.attacks.patch.transforms.draw import Draw
from rgbdsod.attacks.patch.transforms.medians import window_median
from rgbdsod.attacks.patch.transforms.motion import Motion
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.attacks.randomness import Streams

INKS = [ink.light, ink.cast, ink.grain, ink.blur, ink.shake, ink.coarse, ink.smear, ink.bend, ink.cut]
CHANCE = {ink.shake, ink.coarse, ink.smear, ink.bend, ink.cut, camera.jpeg}
NAMES = pytest.mark.parametrize("change", INKS, ids=lambda change: change.__name__)


def draw(like, ids=("a", "b"), seed=0):
    return Draw(Streams(seed, ids, "test"), like)


def changed(change, values, ids=("a", "b")):
    return change(values, draw(values, ids), **({"chance": 1.0} if change in CHANCE else {}))


@NAMES
def test_gradients_agree_with_differences(change):
    """The slope along random directions, by automatic differentiation and by a central difference."""
    values, way = (
        0.2 + 0.6 * rand(0, 2, 3, 16, 18, dtype=torch.float64),
        rand(1, 2, 3, 16, 18, dtype=torch.float64) - 0.5,
    )
    weight = rand(2, 2, 3, 16, 18, dtype=torch.float64)
    point = values.clone().requires_grad_()
    slope = torch.autograd.grad((changed(change, point) * weight).sum(), point)[0]
    step = 1e-6
    ahead, back = (float((changed(change, values + side * step * way) * weight).sum()) for side in (1, -1))
    assert float((slope * way).sum()) == pytest.approx((ahead - back) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_is_what_libjpeg_makes_of_a_picture(quality):
    picture = interpolate(rand(3, 1, 3, 7, 8), (45, 54), mode="bicubic").clamp(0, 1)  # sides that need filling up
    picture = (picture * 255).round() / 255
    codes = (picture[0].permute(1, 2, 0) * 255).byte().numpy()[..., ::-1]
    file = cv2.imencode(".jpg", np.ascontiguousarray(codes), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = torch.from_numpy(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1].copy()).permute(2, 0, 1) / 255
    found = coded(picture, torch.tensor([float(quality)]))[0].clamp(0, 1)
    lost = (picture[0] - expected).abs().mean()
    assert (found - expected).abs().mean() < max(0.25 * float(lost), 1 / 255)


def test_samples_to_which_nothing_happens_keep_their_bits():
    values, ids = rand(0, 40, 3, 16, 18), [str(at) for at in range(40)]
    happened = draw(values, ids).happens(0.3)
    for change in CHANCE:
        found = change(values, draw(values, ids), chance=0.3)
        touched = (found != values).flatten(1).any(1).nonzero()[:, 0]
        assert torch.equal(touched, happened), change.__name__
    assert 5 < len(happened) < 20


def test_medians_are_those_of_a_sort():
    values = rand(4, 2, 3, 11, 9)
    around = pad(values, (3,) * 4, mode="reflect").unfold(2, 7, 1).unfold(3, 7, 1).flatten(-2)
    assert torch.equal(window_median(values, 7), around.sort(-1).values[..., 24])


def test_the_gradient_of_jpeg_is_that_of_its_stand_in():
    values, weight = rand(0, 1, 3, 32, 40, dtype=torch.float64), rand(1, 1, 3, 32, 40, dtype=torch.float64)
    point = values.clone().requires_grad_()
    (slope,) = torch.autograd.grad((changed(camera.jpeg, point, ("a",)) * weight).sum(), point)
    found, expected, step = [], [], 1e-7
    for seed in range(8):
        way = rand(10 + seed, 1, 3, 32, 40, dtype=torch.float64) - 0.5
        ahead, back = (
            float((changed(camera.jpeg, values + side * step * way, ("a",)) * weight).sum()) for side in (1, -1)
        )
        expected.append((ahead - back) / (2 * step))
        found.append(float((slope * way).sum()))
    assert torch.cosine_similarity(torch.tensor(found), torch.tensor(expected), 0) > 0.9


@NAMES
def test_a_sample_is_the_same_alone(change):
    values = rand(0, 2, 3, 16, 18)
    together = changed(change, values)
    assert together.shape == values.shape
    assert torch.allclose(changed(change, values[1:], ("b",)), together[1:], atol=1e-6)
    assert not torch.equal(together, values)


@NAMES
def test_a_patch_of_a_pixel_survives(change):
    assert changed(change, rand(0, 2, 3, 1, 1)).shape == (2, 3, 1, 1)


def test_a_sensor_rounds_and_passes_gradients():
    depth = rand(0, 1, 1, 8, 8).requires_grad_()
    found = camera.sensor(depth, draw(depth, ("a",)))
    found.sum().backward()
    assert torch.allclose(found * 255, (found * 255).round(), atol=1e-4)
    assert (depth.grad == 1).float().mean() > 0.95


@pytest.mark.parametrize("name", TRANSFORMS)
def test_presets_leave_the_global_random_state_alone(name):
    preset, values = TRANSFORMS[name], rand(0, 2, 3, 16, 18)
    before, source = torch.get_rng_state(), draw(values)
    for change in (*preset.colours, *preset.picture):
        change(values, source)
    for change in preset.map:
        change(values[:, :1], source)
    assert torch.equal(torch.get_rng_state(), before)
    assert preset.random == (name != "none")


def test_motions_stay_in_their_ranges():
    ids = [str(at) for at in range(200)]
    pose = poses([(10, 20)] * 200, torch.ones(1, 8, 8), (8, 8))
    motion = Motion(rotation=20, scale=(0.8, 1.2), shift=0.25, tilt=30)
    moved, grow = motion.moved(pose, (8, 8), draw(torch.zeros(200, 1), ids))
    degrees = torch.rad2deg(moved.roll)
    assert -20 <= degrees.min() < -15
    assert 15 < degrees.max() <= 20
    assert 0.8 <= grow.min() < 0.85
    assert 1.15 < grow.max() <= 1.2
    assert 1.5 < (moved.centre - pose.centre).abs().max() <= 2
    assert 0.5 < moved.tilt.abs().max() <= 0.578


def test_total_variation_is_measured_as_large_as_the_patch_is_seen():
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[..., ::2] = 1
    assert total_variation(torch.full((1, 3, 8, 8), 0.3)).item() == pytest.approx(1e-3)
    assert total_variation(stripes).item() == pytest.approx(1.0, abs=1e-3)
    assert total_variation(stripes, (4, 4)).item() < 0.01  # seen at half the size, the stripes are grey
    assert total_variation(torch.zeros(2, 3, 1, 1)).tolist() == [0, 0]


def test_colours_of_the_palette_print():
    palette = usual_palette()
    patch = palette[:30].T.reshape(1, 3, 5, 6)
    assert unprintable(patch).abs().item() < 0.01
    far = torch.tensor([[0.0, 0.0, 0.0]])
    assert unprintable(torch.full((1, 3, 2, 2), 0.3), far).item() == pytest.approx(0.3 * 3**0.5, abs=1e-4)
