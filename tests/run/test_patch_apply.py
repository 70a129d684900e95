"""A saved patch on other images, against another network, and on paper."""

import cv2
import numpy as np
import pytest
import torch
from run_models import scenes, tiny

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.datasets import Scenes
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run import apply_patch_file, make_patches, print_sheet


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patch")
    facts = {"model": "elsewhere", "patch_size": "4%", "shape": "square", "where": "random", "patch_goal": "degrade"}
    content = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    Patch(torch.ones(1, 8, 8), content, facts=facts).save(folder)
    return folder


def test_a_patch_is_laid_as_it_was_made_and_a_transfer_is_named(saved):
    found = apply_patch_file(saved / "patch.png", tiny(), scenes(3))
    assert (found.metrics["size"], found.metrics["where"], found.metrics["goal"]) == ("4%", "random", "degrade")
    assert found.metrics["notes"] == ["made for elsewhere and measured on tiny: a transfer"]
    assert list(found.metrics["states"]) == ["clean", "patched", "grey", "noise", "crop", "shuffled"]
    assert all(row["covered"] == pytest.approx(0.04, abs=0.01) for row in found.samples)
    other = apply_patch_file(saved, tiny(), scenes(3), size="10%", goal="hide")
    assert other.samples[0]["covered"] > 2 * found.samples[0]["covered"]


def test_places_depend_on_the_image_and_the_seed_alone(saved):
    one, two = (apply_patch_file(saved, tiny(), scenes(3), batch=batch) for batch in (1, 3))
    assert one.samples == two.samples
    moved = apply_patch_file(saved, tiny(), scenes(3), seed=1)
    assert [row["place"] for row in moved.samples] != [row["place"] for row in one.samples]


def test_images_of_several_sizes(saved):
    from rgbdsod.datasets.dataset import join

    mixed = join("mixed", [scenes(1, 32), Scenes(1, size=(40, 24), seed=9)])
    if len(set(mixed.ids)) < 2:
        pytest.skip("both sets name their pictures alike")
    assert len(apply_patch_file(saved, tiny(), mixed).samples) == 2


def test_a_patch_of_another_modality_is_refused(saved, tmp_path):
    with pytest.raises(UsageError, match="the patch is for rgb, not for depth; leave --modality out"):
        apply_patch_file(saved, tiny(), scenes(2), modality="depth")
    with pytest.raises(DataError):
        apply_patch_file(tmp_path / "nothing", tiny(), scenes(2))
    with pytest.raises(UsageError, match="takes another policy"):
        apply_patch_file(saved, tiny(), scenes(2), where="worst")
    with pytest.raises(UsageError, match='--goal "vanish": expected one of'):
        apply_patch_file(saved, tiny(), scenes(2), goal="vanish")


def test_a_sheet_has_the_size_that_was_asked_for(saved, tmp_path):
    """At 300 dots an inch the patch's pixels are where its width says, and the paper beside it is white."""
    path = print_sheet(Patch(torch.ones(1, 4, 4), torch.zeros(3, 4, 4)), tmp_path / "s.png", width=100)
    page = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert page.shape == pytest.approx((3507, 2480), abs=2)
    dots = 100 / 25.4 * 300
    widest = max((page < 60).sum(1))
    assert widest == pytest.approx(dots, abs=8 / 25.4 * 300 * 2)
    middle = np.flatnonzero(page[:, page.shape[1] // 2] < 60)
    assert (np.diff(middle) == 1)[: round(dots) - 8].all()
    assert np.flatnonzero(np.diff(middle) > 1)[0] == pytest.approx(dots, abs=4)
    assert print_sheet(Patch.load(saved), tmp_path / "s.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(UsageError, match=r"ends in \.pdf or \.png"):
        print_sheet(Patch.load(saved), tmp_path / "s.jpg")
    with pytest.raises(UsageError, match="has room for 160"):
        print_sheet(Patch.load(saved), tmp_path / "s.png", width=500)
    with pytest.raises(UsageError, match="nothing to print"):
        print_sheet(Patch(torch.ones(1, 4, 4), None, "card", (0.5, 0.0, 0.0)), tmp_path / "s.png")


def test_a_shape_from_a_picture_stays_with_the_patch(tmp_path):
    """A triangle: made, drawn under transformations, and laid elsewhere when the picture is gone."""
    drawing = tmp_path / "triangle.png"
    alpha = np.tril(np.full((16, 16), 255, np.uint8))
    cv2.imwrite(str(drawing), np.dstack([alpha] * 4))
    settings = {"size": "6%", "steps": 2, "draws": 1, "transforms": "digital", "modality": "rgb"}
    made = make_patches(tiny(), scenes(2), shape=str(drawing), out=tmp_path / "made", **settings)
    drawing.unlink()
    assert all(row["covered"] == pytest.approx(0.06, abs=0.01) for row in made.samples)
    patch = tmp_path / "made" / "patches" / made.samples[0]["id"]
    kept = Patch.load(patch).alpha[0]
    assert kept[-1].min() > 0.5
    assert kept[0, 3:].max() == 0
    found = apply_patch_file(patch, tiny(), scenes(2), out=tmp_path / "laid")
    assert all(row["covered"] == pytest.approx(0.06, abs=0.01) for row in found.samples)
    with pytest.raises(DataError, match="cannot read --shape"):
        make_patches(tiny(), scenes(2), shape=str(drawing), **settings)
