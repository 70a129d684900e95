"""Pictures as patches: their colours, their outline, and what is said to be assumed."""

import cv2
import numpy as np
import pytest
import torch

from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.errors import DataError


@pytest.fixture
def codes():
    found = np.random.default_rng(0).integers(0, 256, (6, 9, 4), dtype=np.uint8)
    found[:, :, 3] = 255
    found[0, :, 3] = 0
    return found


def write(path, codes):
    assert cv2.imwrite(str(path), cv2.cvtColor(codes, cv2.COLOR_RGBA2BGRA) if codes.shape[-1] == 4 else codes)
    return path


def test_a_picture_is_a_patch_with_its_transparency_as_the_outline(codes, tmp_path):
    patch = Patch.load(write(tmp_path / "own.png", codes))
    assert patch.modality == "rgb"
    assert torch.equal((patch.content * 255).round().byte(), torch.from_numpy(codes[:, :, :3]).permute(2, 0, 1))
    assert patch.alpha[0, 0].max() == 0 and patch.alpha[0, 1:].min() == 1
    assert patch.facts["shape"] == "9:6" and patch.facts["file"] == "own.png"
    assert any("transparency is its outline" in text for text in patch.facts["assumed"])
    laid = apply_patch({"image": torch.zeros(1, 3, 10, 10)}, patch, torch.eye(3, dtype=torch.float64)[None])
    assert int(laid.mask.sum()) == 5 * 9


def test_pictures_without_transparency_are_whole_patches_and_grey_ones_too(codes, tmp_path):
    for name, values in (("a.png", np.ascontiguousarray(codes[:, :, :3])), ("b.png", codes[:, :, 0])):
        patch = Patch.load(write(tmp_path / name, values))
        assert patch.alpha.min() == 1
        assert any("all of it is the patch" in text for text in patch.facts["assumed"])
    assert torch.equal(patch.content[0], patch.content[2])


def test_the_picture_of_a_saved_patch_still_means_that_patch(tmp_path):
    made = Patch(torch.ones(1, 4, 4), torch.full((3, 4, 4), 0.3), facts={"steps": 7})
    made.save(tmp_path)
    assert Patch.load(tmp_path / "patch.png").facts == {"steps": 7}
    (tmp_path / "patch.safetensors").unlink()
    assert "assumed" in Patch.load(tmp_path / "patch.png").facts


def test_what_is_no_patch_is_refused(codes, tmp_path):
    write(tmp_path / "one.png", codes)
    write(tmp_path / "two.png", codes)
    with pytest.raises(DataError, match=r"holds 2 pictures and no patch.safetensors; pass one of them, such as one"):
        Patch.load(tmp_path)
    codes[:, :, 3] = 0
    with pytest.raises(DataError, match="is transparent everywhere"):
        Patch.load(write(tmp_path / "clear.png", codes))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="holds no picture; a patch is an 8-bit picture"):
        Patch.load(tmp_path / "text.png")
    with pytest.raises(DataError, match=r"cannot read .*gone.png"):
        Patch.load(tmp_path / "gone.png")
