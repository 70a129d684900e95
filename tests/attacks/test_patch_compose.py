"""A patch over an image: against loops, bit-equal outside, one surface or the other in depth."""

import re

import numpy as np
import pytest
import torch
from attacks_problems import rand
from patch_scenes import drawn, pictures, slow_composition

from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.attacks.patch.compose import passing
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.placement import poses, zoom
from rgbdsod.attacks.patch.planes import card, fitted, in_front
from rgbdsod.attacks.patch.pose import Pose, homographies
from rgbdsod.attacks.patch.result import stretched
from rgbdsod.attacks.patch.shapes import outline
from rgbdsod.attacks.patch.warp import footprint
from rgbdsod.errors import DataError, UsageError

SIZE = (24, 30)


def tilted(patch: Patch, turn: float = 0.3, lean: tuple[float, float] = (0.4, -0.5)) -> torch.Tensor:
    """Two places, turned and tilted."""
    pose = poses([(2, 3), (11, 15)], patch.alpha, (9, 10))
    pose = pose._replace(roll=pose.roll + turn).leaning(torch.tensor([lean, lean]))
    return homographies(pose, tuple(patch.alpha.shape[-2:]), SIZE)


@pytest.mark.parametrize("shape", ["square", "disc", "rounded"])
def test_equals_a_composition_by_loops(shape):
    inputs, patch = pictures(), drawn(shape)
    places = tilted(patch)
    found = apply_patch(inputs, patch, places)
    for row in range(2):
        expected, mask = slow_composition(inputs["rgb"][row], patch, places[row])
        assert np.allclose(found.inputs["rgb"][row].numpy(), expected, atol=1e-5)
        assert (found.mask[row, 0].numpy() != mask).sum() <= 1  # a cover of exactly one half
    assert found.inputs["depth"] is inputs["depth"]


def test_a_patch_on_whole_pixels_is_the_patch_itself():
    inputs, patch = pictures(1), drawn()
    found = apply_patch(inputs, patch, homographies(poses([(4, 5)], patch.alpha, (6, 7)), (6, 7), SIZE))
    inside = torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    inside[..., 4:10, 5:12] = True
    assert torch.equal(found.mask, inside)
    assert torch.allclose(found.inputs["rgb"][0, :, 4:10, 5:12], patch.content, atol=1e-5)
    assert torch.equal(found.inputs["rgb"][~inside.expand(-1, 3, -1, -1)], inputs["rgb"][~inside.expand(-1, 3, -1, -1)])


def test_outside_the_cover_nothing_changes_and_rims_of_equal_colour_do_not_show():
    patch = drawn("disc")
    places = tilted(patch)
    touched = footprint(patch.alpha[None] * 1e6, places, SIZE)  # wherever there is any cover at all
    inputs = pictures()
    found = apply_patch(inputs, patch, places)
    assert not ((found.inputs["rgb"] != inputs["rgb"]) & ~touched).any()
    flat = {"rgb": torch.full((2, 3, *SIZE), 0.7)}
    same = Patch(patch.alpha, torch.full_like(patch.content, 0.7))
    assert torch.allclose(apply_patch(flat, same, places).inputs["rgb"], flat["rgb"], atol=1e-6)


def test_depth_does_not_blend_and_colour_stays_without_content():
    inputs, disc = pictures(), outline("disc", 6, 7)
    patch = Patch(disc, None, "card", (0.9, 0.0, 0.0))
    found = apply_patch(inputs, patch, homographies(poses([(2, 3), (9, 9)], disc, (9, 10)), (6, 7), SIZE))
    assert found.inputs["rgb"] is inputs["rgb"]
    assert torch.equal(found.inputs["depth"][~found.mask], inputs["depth"][~found.mask])
    assert (found.inputs["depth"][found.mask] == 0.9).all()


def test_a_facing_card_is_a_rectangle_and_a_tilted_one_is_narrower():
    pose = Pose.facing(torch.tensor([[14.5, 11.5]], dtype=torch.float64), zoom(torch.ones(1, 4, 4), (8, 8)))
    wide = footprint(torch.ones(1, 1, 4, 4), homographies(pose, (4, 4), SIZE), SIZE).sum((0, 1))
    lean = pose.leaning(torch.tensor([[1.0, 0.0]]))
    narrow = footprint(torch.ones(1, 1, 4, 4), homographies(lean, (4, 4), SIZE), SIZE).sum((0, 1))
    assert wide.sum() == 64
    assert (narrow.sum(0) > 0).sum() == 6  # 8 cos 45 degrees
    assert (narrow.sum(1) > 0).sum() >= 8


def test_homography_and_depth_belong_to_one_plane():
    """Points of the card in space, seen by the camera, have the inverse depth that `card` gives their pixels."""
    centre, tilt, focal = torch.tensor([[12.0, 9.0]], dtype=torch.float64), torch.tensor([[0.6, -0.4]]).double(), 36.0
    pose = Pose(centre, torch.ones(1, 2).double(), torch.tensor([0.2]).double(), tilt)
    places = homographies(pose, (7, 7), SIZE, focal)
    depth = card(torch.tensor([0.5]).double(), tilt, centre, torch.zeros(1, 1, *SIZE).double(), focal=focal, offset=0.0)
    for corner in ([0.0, 0.0, 1.0], [6.0, 0.0, 1.0], [3.0, 6.0, 1.0]):
        x, y, z = (places[0] @ torch.tensor(corner).double()).tolist()
        row, column = y / z, x / z
        affine = depth[0, 0, 0, 0] + column * (depth[0, 0, 0, 1] - depth[0, 0, 0, 0])
        affine = affine + row * (depth[0, 0, 1, 0] - depth[0, 0, 0, 0])
        assert float(affine) == pytest.approx(0.5 / z, abs=1e-6)


@pytest.mark.parametrize("kind", ["inverse", "metric:0.5-8"])
def test_a_plane_is_found_again_under_outliers(kind):
    kind = DepthKind.parse(kind)
    truth = card(
        torch.tensor([0.4]), torch.tensor([[0.3, -0.2]]), torch.tensor([[15.0, 12.0]]), torch.zeros(1, 1, *SIZE),
        focal=36.0, offset=kind.offset,
    )  # fmt: skip
    depth, mask = kind.depth(truth.double()), torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    mask[..., 5:15, 6:20] = True
    assert torch.allclose(kind.depth(fitted(kind.inverse(depth), mask)), depth, atol=1e-5)
    dirty = depth.clone()
    dirty[..., 7, 8:12] = 1.0
    assert torch.allclose(kind.depth(fitted(kind.inverse(dirty), mask)), depth, atol=1e-2)


def test_depth_kinds_run_both_ways():
    values = torch.linspace(0, 1, 11).double()
    for text in ("inverse", "unknown", "metric:0.5-8"):
        kind = DepthKind.parse(text)
        assert torch.allclose(kind.depth(kind.inverse(values)), values)
        assert str(kind) == text


@pytest.mark.parametrize("lean", [(0.0, 0.0), (1.5, -1.0), (-1.7, 0.1)])
@pytest.mark.parametrize("near", [0.0, 0.6, 1.0])
def test_a_card_is_never_behind_what_it_hides(near, lean):
    scene, mask = rand(3, 1, 1, *SIZE), torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    mask[..., 5:15, 6:20] = True
    plane = card(torch.tensor([near]), torch.tensor([lean]), torch.tensor([[12.5, 9.5]]), scene, focal=36.0, offset=0.0)
    found = in_front(plane, scene, mask)[mask]
    assert (found >= scene[mask] - 1e-6).float().mean() >= 0.95
    assert found.max() <= 1 + 1e-6


def test_a_card_that_is_in_front_already_stays():
    scene, mask = rand(3, 1, 1, *SIZE) / 4, torch.ones(1, 1, *SIZE, dtype=torch.bool)
    plane = card(
        torch.tensor([0.6]), torch.tensor([[0.1, 0.0]]), torch.tensor([[15.0, 12.0]]), scene, focal=36.0, offset=0.0
    )
    assert torch.allclose(in_front(plane, scene, mask), plane)


def test_the_stretch_of_a_loader_is_reported():
    clean, mask = torch.full((1, 1, 4, 4), 0.2), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    clean[..., 0, 0], mask[..., 3, 3] = 0.6, True
    nearer = clean.clone()
    nearer[..., 3, 3] = 1.0
    assert stretched(clean, clean, mask).item() == 0
    assert stretched(clean, nearer, mask).item() == pytest.approx(0.5)  # 0.6 was the top, and is half of it now


def test_clipping_passes_gradients_near_the_box():
    values = torch.tensor([-0.3, -0.05, 0.5, 1.05, 1.3], requires_grad=True)
    found = passing(values)
    found.sum().backward()
    assert found.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert values.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("content", "mode", "parts"),
    [
        (True, "none", {}),
        (False, "card", {"plane": (0.7, 0.0, 0.0)}),
        (True, "plane", {"plane": (0.7, 0.1, -0.2)}),
        (True, "relief", {"plane": (0.7, 0.1, -0.2), "relief": True}),
        (False, "free", {"relief": True}),
        (True, "surface", {}),
    ],
)
def test_a_saved_patch_gives_the_same_pictures(tmp_path, content, mode, parts):
    if "relief" in parts:
        parts = {**parts, "relief": rand(9, 1, 6, 7) / 30}
    patch = Patch(outline("disc", 6, 7), rand(5, 3, 6, 7) if content else None, mode, facts={"seed": 3}, **parts)
    patch.save(tmp_path / "p")
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"patch.png", "patch.safetensors", "patch.json"}
    again = Patch.load(tmp_path / "p")
    assert again.facts == {"seed": 3}
    assert again.modality == patch.modality
    places = tilted(patch)
    before, after = (apply_patch(pictures(), one, places) for one in (patch, again))
    assert torch.equal(before.mask, after.mask)
    assert all(torch.equal(before.inputs[name], after.inputs[name]) for name in before.inputs)


def test_equal_patches_are_equal_files():
    many = {Patch(torch.ones(1, 2, 2), torch.ones(3, 2, 2)).files()["patch.safetensors"] for _ in range(20)}
    assert len(many) == 1


def test_files_that_are_no_patch(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        Patch.load(tmp_path)
    (tmp_path / "patch.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is damaged"):
        Patch.load(tmp_path)


def test_a_patch_of_another_modality_is_refused():
    patch = drawn()
    with pytest.raises(UsageError, match=re.escape("the patch changes rgb, and the inputs are depth; pass another")):
        apply_patch({"depth": pictures()["depth"]}, patch, tilted(patch))
    deep = drawn(mode="card", plane=(0.5, 0.0, 0.0))
    with pytest.raises(UsageError, match="the patch changes depth, and the inputs are rgb"):
        apply_patch({"rgb": pictures()["rgb"]}, deep, tilted(deep))
    with pytest.raises(UsageError, match=r"places of shape \(1, 3, 3\) for 2 images"):
        apply_patch(pictures(), patch, tilted(patch)[:1])


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"content": None}, "a patch without colours and depth changes nothing"),
        ({"depth_mode": "deep"}, 'no depth mode "deep"'),
        ({"depth_mode": "card"}, "does not fit the plane and relief"),
        ({"content": torch.zeros(3, 2, 2)}, "a patch's content has shape (3, 2, 2), expected (3, 6, 7)"),
    ],
)
def test_patches_that_cannot_be(parts, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        Patch(**{"alpha": torch.ones(1, 6, 7), "content": torch.zeros(3, 6, 7), **parts})
