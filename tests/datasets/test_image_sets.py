"""Labelled images in class folders and arrays: names, prompts, samples, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rgbdsod.datasets import load_image_set
from rgbdsod.datasets.zero_shot.labelled import ArraySet
from rgbdsod.datasets.zero_shot.prompts import written
from rgbdsod.errors import DataError, UsageError


def _folders(root: Path, **counts: int) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((8, 10, 3), 10 * number, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def _array_set(labels=(0, 0, 0, 0, 1, 1, 2), classes=3) -> ArraySet:
    images = np.zeros((len(labels), 4, 4, 3), np.uint8)
    return ArraySet("set", images, labels, [f"class {number}" for number in range(classes)])


def test_class_folders(tmp_path):
    data = load_image_set(_folders(tmp_path / "pets", kit_fox=2, Sea_lion=1))
    assert (data.class_names, data.labels.tolist()) == (["Sea_lion", "kit_fox"], [0, 1, 1])
    assert data.prompts == ["This is a photo of a sea lion", "This is a photo of a kit fox"]
    assert data.ids == ["Sea_lion/0.png", "kit_fox/0.png", "kit_fox/1.png"]
    assert (data.name, data.split, data.common_size) == ("pets", "all", (8, 10))
    assert data[-1].image.max() == 10 and data[-1].label == 1


def test_splits_are_folders_of_class_folders(tmp_path):
    _folders(tmp_path / "train", a=1, b=1)
    _folders(tmp_path / "test", a=2, b=1)
    assert (load_image_set(tmp_path).split, len(load_image_set(tmp_path))) == ("test", 3)
    assert len(load_image_set(tmp_path, split="train")) == 2
    with pytest.raises(DataError, match='has no split "val"; it has test, train'):
        load_image_set(tmp_path, split="val")


def test_grey_palette_and_transparent_images_become_rgb(tmp_path):
    _folders(tmp_path, a=1)
    grey = np.arange(80, dtype=np.uint8).reshape(8, 10)
    Image.fromarray(grey).save(tmp_path / "a" / "1.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "a" / "2.png")
    clear = np.dstack([np.full((8, 10, 3), 200, np.uint8), np.zeros((8, 10), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "a" / "3.png")
    images = [item.image for item in load_image_set(tmp_path)]
    assert all(image.shape == (8, 10, 3) and image.dtype == np.uint8 for image in images)
    assert np.array_equal(images[1], np.repeat(grey[..., None], 3, 2)) and np.array_equal(images[1], images[2])
    assert (images[3] == 200).all(), "alpha is dropped, not blended"


def test_real_subsets(shared):
    cifar = load_image_set(shared / "data" / "cifar10_subset")
    assert (len(cifar), cifar.classes, cifar.common_size) == (1000, 10, (32, 32))
    assert cifar.prompts[0] == "This is a photo of a airplane"
    assert np.bincount(cifar.labels).tolist() == [100] * 10
    assert len(load_image_set(shared / "data" / "cifar10_subset", split="train")) == 2000
    textures = load_image_set(shared / "data" / "dtd10_subset", template="A surface with a {} texture.")
    assert (len(textures), textures.common_size) == (300, (64, 64))
    assert textures.prompts[2] == "A surface with a braided texture."


def test_a_sample_is_even_and_fixed_by_its_seed():
    data = _array_set()
    for count, expected in ((3, [1, 1, 1]), (5, [2, 2, 1]), (7, [4, 2, 1]), (99, [4, 2, 1])):
        assert np.bincount(data.sample(count).labels, minlength=3).tolist() == expected
    assert data.sample(3, seed=1).ids == data.sample(3, seed=1).ids
    assert len({tuple(data.sample(3, seed=seed).ids) for seed in range(9)}) > 1
    assert data.sample(3).classes == 3
    with pytest.raises(UsageError, match="a sample of 0 images"):
        data.sample(0)


def test_fingerprints_follow_content_labels_and_prompts():
    one = _array_set()
    assert one.fingerprint == _array_set().fingerprint == one.select(range(7)).fingerprint
    assert one.fingerprint != _array_set((0, 0, 0, 1, 1, 1, 2)).fingerprint
    assert one.fingerprint != one.with_template("a {}").fingerprint
    assert one.template == "This is a photo of a {}", "the set itself keeps its prompt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: _folders(root, a=1, b=0), "the class folder .*b has no images; remove it"),
        (lambda root: root.mkdir(), "has no class folders; expected one folder for each class"),
        (lambda root: Image.new("RGB", (2, 2)).save(_folders(root, a=1) / "x.png"), "beside its class folders"),
    ],
)
def test_folders_that_are_no_data_set(make, message, tmp_path):
    make(tmp_path / "set")
    with pytest.raises(DataError, match=message):
        load_image_set(tmp_path / "set")


def test_class_list_and_data_that_disagree():
    with pytest.raises(DataError, match="has a label 2, but 2 class names"):
        _array_set(classes=2)
    with pytest.raises(DataError, match="one label for each"):
        ArraySet("set", np.zeros((2, 4, 4, 3), np.uint8), [0], ["a"])
    with pytest.raises(DataError, match="uint8"):
        ArraySet("set", np.zeros((1, 4, 4)), [0], ["a"])
    with pytest.raises(DataError, match="has no images"):
        ArraySet("set", np.zeros((0, 4, 4, 3), np.uint8), [], ["a"])


def test_arrays_that_are_no_data_set(tmp_path):
    np.savez(tmp_path / "a.npz", x_test=np.zeros((1, 2, 2, 3), np.uint8), y_test=[0])
    with pytest.raises(DataError, match="has no class_names; it has x_test, y_test"):
        load_image_set(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x_test=np.zeros((1, 2, 2)), y_test=[0], class_names=["a"])
    with pytest.raises(DataError, match="expected uint8"):
        load_image_set(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged or holds no plain arrays"):
        load_image_set(tmp_path / "c.npz")


def test_grey_arrays_are_repeated(tmp_path):
    grey = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    np.savez(tmp_path / "a.npz", x_test=grey, y_test=[0, 1], class_names=["a", "b"])
    assert np.array_equal(load_image_set(tmp_path)[1].image, np.repeat(grey[1][..., None], 3, 2))


def test_prompts_that_say_nothing():
    for template, names, message in (
        ("a photo", ["a"], "has no {} for the class name"),
        ("{}", [], "no class names"),
        ("{}", ["a", " "], "class 1 has an empty name"),
    ):
        with pytest.raises(UsageError, match=message.replace("{", r"\{").replace("}", r"\}")):
            written(template, names)
    with pytest.raises(UsageError, match="has no"):
        _array_set().with_template("a photo")
    assert written("a {}", ["Boeing 707-320/x_y"]) == ["a boeing 707 320 x y"]
    assert written("a {}", ["Boeing 707-320"], refine=False) == ["a Boeing 707-320"]


def test_unknown_names():
    with pytest.raises(UsageError, match='no image set "nowhere"; pass a folder'):
        load_image_set("nowhere")
    with pytest.raises(UsageError, match='no glyph task "x"; they are tuning, pairs'):
        load_image_set("glyphs:x")
    with pytest.raises(UsageError, match='has no split "val", only test'):
        load_image_set("glyphs:pairs", split="val")
    with pytest.raises(UsageError, match='no prompts "old"; use fixed or as-released'):
        load_image_set("glyphs:pairs", prompts="old")
