"""Defences with small trained networks, and the completion of shapes."""

import json

import pytest
import torch
from patch_victims import overlap, photographs
from safetensors.torch import save_file

from rgbdsod.defenses import patch_defense
from rgbdsod.defenses.patch.grid import covering_max, enlarged
from rgbdsod.defenses.patch.learned.completion import complete_shapes
from rgbdsod.defenses.patch.learned.nutnet import BlockCoder, from_blocks, to_blocks
from rgbdsod.defenses.patch.learned.weights import ASSETS
from rgbdsod.errors import WeightsError

LEARNED = ("sac", "nutnet")


@pytest.mark.parametrize("name", LEARNED)
def test_built_in_weights_are_small_and_recorded(name):
    record = json.loads((ASSETS / f"{name}.json").read_text())
    assert record["bytes"] == (ASSETS / f"{name}.safetensors").stat().st_size < 500_000
    assert record["command"].startswith("python examples/make_patch_defenses.py")
    assert set(record["figures"]["mean IoU"]) == {"noise", "smooth", "mix", "optimised"}


def test_nutnets_coder_has_about_five_thousand_numbers():
    assert 4000 < sum(weight.numel() for weight in BlockCoder().parameters()) < 6000


def test_blocks_go_there_and_back():
    image = torch.rand(2, 1, 160, 160)
    torch.testing.assert_close(from_blocks(to_blocks(image)[:, :1]), image, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("down", "across", "y", "x"), [(20, 20, 10, 30), (24, 16, 60, 5), (12, 12, 80, 80)])
def test_a_rectangle_with_a_bite_is_completed(down, across, y, x):
    whole = torch.zeros(1, 1, 96, 96, dtype=torch.bool)
    whole[..., y : y + down, x : x + across] = True
    bitten = whole.clone()
    bitten[..., y : y + down // 2, x : x + across // 3] = False
    found = complete_shapes(bitten)
    assert (found & bitten).sum() == bitten.sum()
    assert (found & whole).sum() >= 0.95 * whole.sum()
    assert found.sum() < 2 * whole.sum()  # all rectangles within the limit are united


def test_nothing_is_completed_from_nothing_and_images_do_not_mix():
    masks = torch.zeros(3, 1, 64, 64, dtype=torch.bool)
    masks[1, :, 10:26, 10:24] = True
    masks[2, :, 40:50, 5:15] = True
    masks[2, :, 40:44, 5:8] = False
    found = complete_shapes(masks)
    assert not found[0].any()
    for row in range(3):
        assert torch.equal(complete_shapes(masks[[row]])[0], found[row])


def test_the_limit_is_the_first_at_which_something_is_found():
    """A square missed by a share of its area is found, and nothing far from it is added."""
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[..., 20:36, 20:36] = True
    mask[..., 28:36, 20:36] = False
    found = complete_shapes(mask)
    assert not found[..., :15, :].any()
    assert not found[..., 45:, :].any()


def test_cells_and_windows_become_pixels():
    values = torch.rand(2, 1, 3, 4)
    found = covering_max(values, 15, 10, (41, 47))
    for y, x in ((0, 0), (12, 14), (14, 15), (24, 9), (40, 46)):
        covering = [
            float(values[1, 0, row, column])
            for row in range(3)
            for column in range(4)
            if 10 * row <= y < 10 * row + 15 and 10 * column <= x < 10 * column + 15
        ]
        expected = max(covering) if covering else float(values[1, 0, min(y // 10, 2), min(x // 10, 3)])
        assert found[1, 0, y, x] == expected
    cells = torch.arange(4.0).view(1, 1, 2, 2)
    assert enlarged(cells, 2, (5, 4))[0, 0].tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 3


@pytest.mark.parametrize("name", LEARNED)
def test_weights_that_are_not_there_or_do_not_fit(name, tmp_path):
    with pytest.raises(WeightsError, match="leave weights out for the built-in ones"):
        patch_defense(name, weights=tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, other)
    with pytest.raises(WeightsError, match="pass a file that was made for it"):
        patch_defense(name, weights=other)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"<html>")
    with pytest.raises(WeightsError, match="does not fit"):
        patch_defense(name, weights=damaged)


def test_sac_finds_real_patches_that_it_never_saw(shared):
    """Measured: 99 % of each and more, mean IoU 0.52."""
    images, truth = photographs(shared)
    mask = patch_defense("sac", fill="grey")({"image": images}).mask > 0.5
    assert ((mask & truth).flatten(1).sum(1) / truth.flatten(1).sum(1)).min() > 0.95
    assert overlap(mask, truth).mean() > 0.48


def test_the_segmenter_alone_outlines_real_patches_and_can_be_calibrated(shared):
    """Measured: mean IoU 0.81; what it says of patches is graded, so that a threshold can be chosen."""
    images, truth = photographs(shared)
    patchzero = patch_defense("patchzero")
    found = patchzero({"image": images})
    assert overlap(found.mask > 0.5, truth).mean() > 0.75
    middle = (patchzero.evidence(images) * truth).flatten(1).sum(1) / truth.flatten(1).sum(1)
    assert middle.min() > 0.7, "sure of each patch"
    visible = torch.where(found.mask > 0, 0.0, images).sum((2, 3)) / (1 - found.mask).sum((2, 3))
    inside = found.inputs["image"][0][:, found.mask[0, 0] > 0.5]
    torch.testing.assert_close(inside, visible[0][:, None].expand_as(inside), rtol=0, atol=1e-4)
