"""A run of a patch attack: its patches are on its files, and images without a place are in no column."""

import json

import numpy as np
import pytest
import torch
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.datasets import load_dataset
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.modeling import inputs_of
from rgbdsod.run.pictures import decode

SHORT = {"steps": 3, "patch_size": "6%"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "patch"
    rs.attack(tiny(), scenes(), "patch", modality="both", out=path, batch=2, holes="free", **SHORT)
    return path


def test_the_radius_of_a_patch_is_the_whole_range(folder):
    settings = json.loads((folder / "metrics.json").read_text())
    assert settings["results"][0]["budget"]["rgb"]["eps"] == 1.0
    assert "no_place" not in settings


def test_saved_patches_laid_on_the_clean_images_give_the_saved_images(folder):
    images, attacked = scenes(), load_dataset(folder / "adversarial")
    for number in range(len(images)):
        sample, other = images[number], attacked[number]
        assert sample.id == other.id
        patch = Patch.load(folder / "patches" / sample.id)
        batch = inputs_of([sample], ("rgb", "depth"), torch.device("cpu"))
        clean = {name: batch[name] for name in ("rgb", "depth")}
        found = apply_patch(clean, patch, torch.tensor([patch.facts["place"]], dtype=torch.float64))
        saved = inputs_of([other], ("rgb", "depth"), torch.device("cpu"))
        for name in clean:
            assert (found.inputs[name] - saved[name]).abs().max() <= 0.5 / 255 + 1e-4
        mask = decode((folder / "patches" / sample.id / "mask.png").read_bytes())
        assert np.array_equal(mask > 0, found.mask[0, 0].numpy())


def test_images_without_a_place_are_in_no_column():
    # 25 pixels fit on two of the objects only, of which they cover a quarter at most
    result = rs.attack(tiny(), scenes(), "patch", modality="rgb", where="on-object", steps=2, patch_size="2%")
    left_out = result.metrics["no_place"]
    assert len(left_out) == 2
    assert result.document()["images"] == 2
    assert f"no place for a patch, left out of all columns: {', '.join(left_out)}" in result.summary()
    placed = {row["id"]: row["placed"] for row in result.samples}
    assert {image for image, there in placed.items() if not there} == set(left_out)
    kept = [row["clean_mae"] for row in result.samples if row["placed"]]
    assert result.metrics["clean"]["benchmark"]["values"]["mae"] == pytest.approx(np.mean(kept))


def test_no_place_at_all_is_a_sentence():
    with pytest.raises(DataError, match="none of the 4 images has a place for the patch; try --where random"):
        rs.attack(tiny(), scenes(), "patch", modality="rgb", where="on-object", steps=1, patch_size="60%")


def test_a_patch_that_fits_no_image_is_refused_before_anything_is_read():
    with pytest.raises(UsageError, match="--patch-size 120%: the patch is larger than the image"):
        rs.attack(tiny(), scenes(), "patch", patch_size="120%")
