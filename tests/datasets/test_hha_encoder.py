"""HHA in torch: the same image as in NumPy, per sample, with gradients that are those of the encoding."""

import numpy as np
import pytest
import torch
from datasets_rooms import CAMERA, SIZE, room, turned

from rgbdsod.datasets import DepthScale, HHAEncoder, encode_hha, pseudo_hha, resized_camera
from rgbdsod.datasets.hha.moments import first_moments, second_moments

ROOMS = [room(turned(pitch, roll))[0] for pitch, roll in ((12, 4), (3, -6), (25, 0))]


def batch(*maps, dtype=torch.float64):
    return torch.tensor(np.stack(maps), dtype=dtype)[:, None]


def levels(image):
    return (255 * image).round().permute(0, 2, 3, 1).numpy().astype(int)


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "hha_demo.npz") as file:
        return dict(file)


@pytest.mark.parametrize(("dtype", "share"), [(torch.float64, 0.0), (torch.float32, 0.001)])
def test_complete_depth_gives_the_reference_image(golden, dtype, share):
    depth = batch(golden["depth_u16"] / golden["units_per_metre"], dtype=dtype)
    apart = np.abs(levels(HHAEncoder(golden["camera"], every=1)(depth))[0] - golden["hha_full"])
    assert apart.max() <= 1 and (apart > 0).mean((0, 1)).max() <= share


def test_missing_depth_agrees_with_the_reference_where_it_is_no_noise(golden):
    depth = batch(golden["depth_u16"] / golden["units_per_metre"], dtype=torch.float32)
    valid = torch.from_numpy(golden["raw_u16"] > 0)[None, None]
    encoder = HHAEncoder(golden["camera"], every=1)
    apart = np.abs(levels(encoder.held(depth, valid)(depth))[0] - golden["hha_raw"])[golden["support_raw"] >= 15]
    assert apart.max() <= 1 and (apart > 0).mean(0).max() < 0.03


def test_gravity_from_every_fourth_pixel_is_near_that_from_all(golden):
    depth = batch(golden["depth_u16"] / golden["units_per_metre"], dtype=torch.float32)
    found = HHAEncoder(golden["camera"]).frame(depth).gravity[0].double().numpy()
    assert np.degrees(np.arccos(found @ golden["gravity_full"])) < 0.1


@pytest.mark.parametrize("missing", ["reference", "mean", "mask"])
def test_the_same_image_as_in_numpy_with_holes(missing):
    measured = np.random.default_rng(1).random((3, *SIZE)) > 0.3
    depth, valid = batch(*ROOMS), torch.from_numpy(measured)[:, None]
    encoder = HHAEncoder(CAMERA, every=1, missing=missing)
    found = levels(encoder(depth, encoder.frame(depth, valid)))
    for image, metres, flags in zip(found, ROOMS, measured, strict=True):
        assert np.abs(image - encode_hha(metres, CAMERA, valid=flags, missing=missing).image).max() <= 1


def test_a_batch_equals_its_images_and_memory_order_does_not_matter():
    depth, encoder = batch(*ROOMS, dtype=torch.float32), HHAEncoder(CAMERA)
    together = encoder(depth)
    for image, one in zip(together, depth, strict=True):
        assert torch.allclose(encoder(one[None])[0], image, atol=1e-6)
    assert torch.equal(encoder(depth.contiguous(memory_format=torch.channels_last)), together)


def test_half_precision_around_it_changes_nothing():
    depth, encoder = batch(*ROOMS, dtype=torch.float32), HHAEncoder(CAMERA)
    plain = encoder(depth)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoder(depth), plain)
    assert encoder(depth.bfloat16()).dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_image():
    depth, encoder = batch(*ROOMS, dtype=torch.float32), HHAEncoder(CAMERA)
    assert np.abs(levels(encoder(depth)) - levels(encoder(depth.cuda()).cpu())).max() <= 1


def test_pseudo_hha_is_that_of_numpy():
    depth = np.random.default_rng(2).random((40, 60))
    for scale in (None, DepthScale(0.5, 6, "linear")):
        found = levels(HHAEncoder.pseudo(scale)(batch(depth)))[0]
        assert np.abs(found - pseudo_hha(depth, scale=scale).image).max() <= 1


def small_problem(size=(8, 9), **settings):
    """A room at a size that gradcheck can manage, with noise, something nearer than 1 m, and a mask of holes."""
    camera = resized_camera(CAMERA, SIZE, size)
    depth = room(turned(), size, camera)[0] * (1 + 0.05 * np.random.default_rng(3).standard_normal(size))
    depth[2:4, 3:5] = 0.7
    valid = torch.from_numpy(np.random.default_rng(4).random((1, 1, *size)) > 0.15)
    return HHAEncoder(camera, rounding=False, every=1, **settings), batch(depth), valid


@pytest.mark.parametrize("holes", [False, True])
def test_gradients_are_those_of_the_encoding(holes):
    encoder, depth, valid = small_problem()
    held = encoder.held(depth, valid if holes else None)
    assert torch.autograd.gradcheck(held, depth.requires_grad_())


@pytest.mark.parametrize(
    ("through", "gravity"), [(("floor",), turned()), (("gravity", "floor"), None)], ids=["floor", "gravity"]
)
def test_gradients_through_gravity_and_the_floor(through, gravity):
    encoder, depth, _ = small_problem((24, 32), through=through, gravity=gravity)
    assert torch.autograd.gradcheck(encoder, depth.requires_grad_(), fast_mode=True)


def test_gradients_through_a_scale():
    encoder = HHAEncoder.pseudo(DepthScale(1, 4))
    encoder.rounding = False
    depth = torch.rand(2, 1, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(encoder.held(depth), depth.requires_grad_())


@pytest.mark.parametrize("value", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_gradients_are_finite_whatever_the_depth(value, share):
    """Constant depth puts the cosine where the arc cosine has no slope; missing pixels are left at 0."""
    measured = torch.rand(2, 1, *SIZE, generator=torch.Generator().manual_seed(1)) >= share
    depth = torch.where(measured, value, 0.0).requires_grad_()
    for gravity in (None, (0, 0, 1)):
        encoder = HHAEncoder(CAMERA, gravity=gravity, through=("gravity", "floor"))
        image = encoder(depth, encoder.frame(depth, measured))
        found = torch.autograd.grad(image.square().sum(), depth)[0]
        assert image.isfinite().all() and found.isfinite().all()


def test_rounding_is_straight_through_and_nothing_passes_where_levels_end():
    depth = batch(np.full(SIZE, 2.0)).requires_grad_()
    image = HHAEncoder(CAMERA)(depth)
    assert torch.allclose(image * 255, (image * 255).round())
    slope = torch.autograd.grad(image[:, 0].sum(), depth)[0] * 255
    assert torch.allclose(slope, torch.full_like(slope, -310 / 4))
    near = batch(np.full(SIZE, 1.1)).requires_grad_()  # 282 levels: cut
    assert not torch.autograd.grad(HHAEncoder(CAMERA)(near)[:, 0].sum(), near)[0].any()


def test_what_is_held_stays_while_depth_moves():
    clean = batch(*ROOMS)
    held = HHAEncoder(CAMERA).held(clean)
    moved = clean + 0.3 * torch.linspace(0, 1, SIZE[0], dtype=clean.dtype)[:, None]
    assert not torch.allclose(HHAEncoder(CAMERA).frame(moved).gravity, held.kept.gravity, atol=1e-3)
    some = torch.tensor([2, 0])
    assert torch.allclose(held.select(some)(moved[some]), held(moved)[some])
    plain = HHAEncoder(CAMERA)
    assert torch.equal(plain(moved, held.kept), held(moved)) and plain.kept is None


def test_a_little_depth_moves_angles_a_lot(golden):
    """Why the space of a budget is named: random signs of 2/255 of the range move disparity by less than a level."""
    window = (slice(200, 360), slice(250, 410))
    camera = golden["camera"] - np.array([[0, 0, 250], [0, 0, 200], [0, 0, 0]])
    clean = batch(golden["depth_u16"][window] / golden["units_per_metre"], dtype=torch.float32)
    held = HHAEncoder(camera, gravity=golden["gravity_full"]).held(clean)
    signs = torch.randint(0, 2, clean.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    change = (held(clean + 2 / 255 * 1.8 * signs) - held(clean)).abs()[0].mean((1, 2)) * 255
    assert change[0] < 1 and change[2] > 4


def test_moments_are_sums_over_windows():
    values = torch.rand(2, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = (*first_moments(values, 2), *second_moments(values, 2))
    padded = torch.nn.functional.pad(values, (2, 2, 2, 2)).unfold(1, 5, 1).unfold(2, 5, 1)
    y, x = torch.meshgrid(*2 * [torch.arange(-2, 3) / 2], indexing="ij")
    for got, weight in zip(found, (torch.ones(5, 5), x, y, x * x, x * y, y * y), strict=True):
        assert torch.allclose(got, (padded * weight).sum((-2, -1)))
    for got, whole in zip(first_moments(values, 2, 3), found, strict=False):
        assert torch.equal(got, whole[:, ::3, ::3])
    assert torch.autograd.gradcheck(lambda x: first_moments(x, 2, 3), values.requires_grad_())
