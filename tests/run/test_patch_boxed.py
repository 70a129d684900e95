"""One patch for all images before a detector, places in every box, squares, and files that give the same numbers."""

import json

import numpy as np
import pytest
import torch

from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.datasets import TEST_SEED, BoxedImage, ShapeScenes, boxed_batch
from rgbdsod.datasets.coco.square import squared
from rgbdsod.errors import DataError, UsageError
from rgbdsod.models import load_detector
from rgbdsod.run import apply_patch_to_detector, evaluate_patches, fit_patch_for_detector
from rgbdsod.run.patch_boxed.fitting import boxed_halves, refuse_shared
from rgbdsod.run.patch_defense.boxed import BoxedImages

FIT = ShapeScenes(4, seed=11)
DATA = ShapeScenes(2, seed=12)


def fitted(out, **changes):
    settings = {"fit_data": FIT, "where": "apde", "steps": 22, "device": "cpu", **changes}
    return fit_patch_for_detector("fcos.tiny", DATA, out=out, **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("runs") / "universal")


def kept_of(run, view="unaware"):
    files = [run.folder / "detections" / f"{name}.json" for name in run.outcome.piece.ids]
    return [json.loads(file.read_text())["detections"]["none"][view] for file in files]


def patched_again(run, images):
    """The saved patches on the images, as a file of 8 bit has them."""
    found = []
    for at, name in enumerate(run.outcome.piece.ids):
        patch, own = Patch.load(run.folder / "patches" / name), {"image": images[at : at + 1]}
        for place in patch.facts["places"]:
            own = apply_patch(own, patch, torch.tensor([place], dtype=torch.float64)).inputs
        found.append((own["image"] * 255).round() / 255)
    return torch.cat(found)


def as_rows(seen):
    return [torch.cat([one.boxes, one.scores[:, None], one.labels[:, None].float()], 1) for one in seen]


def test_one_patch_lies_in_every_box_of_images_that_it_never_saw(run):
    _, objects = boxed_batch(list(DATA))
    contents = []
    for name, truth in zip(run.outcome.piece.ids, objects, strict=True):
        patch = Patch.load(run.folder / "patches" / name)
        contents.append(patch.content)
        assert len(patch.facts["places"]) == len(truth.boxes)
    saved = Patch.load(run.folder)
    assert all(torch.equal(one, saved.content) for one in contents)
    assert saved.facts["patch_size"] == "20%", "the preset's size"
    assert saved.facts["objective"] == "vanish"
    assert run.metrics["fit"]["images"] == 4
    assert run.rows[0]["control"] is not None
    assert "fitted on 4 images" in run.summary()


def test_the_saved_patch_gives_the_same_numbers_when_it_is_applied(run):
    again = apply_patch_to_detector(run.folder, "fcos.tiny", DATA, device="cpu")
    for view in ("clean", "unaware"):
        for one, other in zip(kept_of(run, view), run_of(again, view), strict=True):
            assert torch.allclose(torch.tensor(one), torch.tensor(other), atol=1e-4), view
    for view in ("grey", "noise", "crop", "shuffled"):  # of 8 bit when they are applied, as exact as floats when made
        assert again.rows[0][view]["ap50"] == pytest.approx(run.rows[0][view]["ap50"], abs=0.02)


def run_of(result, view):
    return [value["detections"]["none"][view] for value in kept_in_memory(result)]


def kept_in_memory(result):
    store = result.outcome.store
    return [json.loads(store.read(f"detections/{name}.json")) for name in result.outcome.piece.ids]


@pytest.mark.parametrize("which", ["evaluate", "apply"])
def test_detections_are_of_pictures_of_eight_bit(which, tmp_path):
    images, _ = boxed_batch(list(DATA))
    if which == "evaluate":
        run = evaluate_patches("fcos.tiny", DATA, steps=2, aware=False, device="cpu", out=tmp_path / "run")
    else:
        content = torch.rand((3, 30, 30), generator=torch.Generator().manual_seed(0))
        Patch(torch.ones(1, 30, 30), content).save(tmp_path / "patch")
        run = apply_patch_to_detector(tmp_path / "patch", "fcos.tiny", DATA, device="cpu", out=tmp_path / "run")
    with torch.no_grad():
        seen = as_rows(load_detector("fcos.tiny").detect(patched_again(run, images)))
    for kept, own in zip(kept_of(run), seen, strict=True):
        rows = torch.tensor(kept).reshape(-1, 6)
        assert torch.allclose(rows[:, :4], own[:, :4], atol=6e-4)  # kept with three decimals
        assert torch.allclose(rows[:, 4], own[:, 4], atol=2e-6), "floats that no file holds differ by 1e-4 and more"


def test_an_interrupted_fit_goes_on_to_the_same_patch(run, tmp_path):
    class StoppedError(Exception):
        pass

    def stopping(done, total):
        if done > 0.85 * total:  # of 90 % that are the fit
            raise StoppedError

    with pytest.raises(StoppedError):
        fitted(tmp_path / "run", callback=stopping)
    assert (tmp_path / "run" / "checkpoints" / "fit.safetensors").is_file()
    again = fitted(tmp_path / "run")
    assert torch.equal(Patch.load(again.folder).content, Patch.load(run.folder).content)
    assert again.rows[0]["unaware"] == run.rows[0]["unaware"]


def test_fit_and_test_share_no_photograph():
    data = BoxedImages(ShapeScenes(5, seed=3), load_detector("fcos.tiny").classes)
    fit, test = boxed_halves(data, 0)
    assert (len(fit), len(test)) == (2, 3) and not set(fit.ids) & set(test.ids)
    refuse_shared(fit, test)
    with pytest.raises(DataError, match=r"3 of 5 photographs of .* are among those that the patch is fitted on"):
        refuse_shared(test, data)
    with pytest.raises(DataError, match="pass other images as --fit-images"):
        fit_patch_for_detector("fcos.tiny", DATA, fit_data=DATA, steps=1)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"where": "worst"}, "--where worst seeks a place for each image"),
        ({"restarts": 2}, "--restarts 2: a universal patch is fitted once"),
        ({"aware": True, "defenses": "median"}, "--universal has no patches that know a defence; pass --no-aware"),
    ],
)
def test_what_one_patch_for_all_cannot_be(settings, text):
    with pytest.raises(UsageError, match=text):
        fit_patch_for_detector("fcos.tiny", DATA, fit_data=FIT, **settings)


def test_a_square_keeps_proportions_and_boxes_lie_on_the_same_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    boxes, flags = np.array([[10, 5, 30, 25]], np.float32), np.zeros(1, bool)
    image = BoxedImage(1, "one.png", pixels, boxes, np.zeros(1, np.int64), flags)
    found = squared(image)
    assert found.size == (60, 60)
    x0, y0, x1, y1 = found.boxes[0].astype(int)
    assert np.array_equal(found.image[y0:y1, x0:x1], pixels[5:25, 10:30])
    assert (found.image[:10] == 127).all() and (found.image[50:] == 127).all()


def test_letterboxed_images_are_recorded(tmp_path):
    data = ShapeScenes(1, seed=TEST_SEED)
    result = evaluate_patches("fcos.tiny", data, letterbox=True, image_size=(96, 96), steps=1, aware=False)
    assert result.record["data"]["letterbox"] is True
    assert result.record["data"]["size"] == [96, 96]
