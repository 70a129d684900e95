"""The sixteen sets in the layouts of their original archives: labels, names, prompts, and what a message says."""

import os
from pathlib import Path

import datasets_archives as archives
import numpy as np
import pytest

from rgbdsod.datasets import ZERO_SHOT_SETS, load_image_set
from rgbdsod.errors import DataError, UsageError

GENERIC = "This is a photo of a "
LISTED = {
    "tinyimagenet": (archives.tinyimagenet, [1, 0, 0], [GENERIC + "egyptian cat", GENERIC + "reel"]),
    "sun397": (archives.sun397, [0, 1], [GENERIC + "abbey", GENERIC + "balcony exterior"]),
    "food101": (
        archives.food101,
        [0, 0, 1],
        ["A photo of apple pie, a type of food.", "A photo of baby back ribs, a type of food."],
    ),
    "oxfordpets": (
        archives.oxfordpets,
        [0, 1],
        ["A photo of a abyssinian, a type of pet.", "A photo of a american bulldog, a type of pet."],
    ),
    "fgvc-aircraft": (
        archives.fgvc,
        [0, 1],
        ["A photo of a Boeing 707-320, a type of aircraft.", "A photo of a DHC-8-100, a type of aircraft."],
    ),
    "imagenet": (
        archives.imagenet,
        [0, 1, 2],
        [GENERIC + "crane bird", GENERIC + "kit fox", GENERIC + "crane machine"],
    ),
    "caltech101": (
        archives.caltech101,
        [0, 1, 2],
        [GENERIC + "accordion", GENERIC + "faces easy", GENERIC + "water lilly"],
    ),
    "caltech256": (
        archives.caltech256,
        [0, 1, 2],
        ["A photo of a ak47.", "A photo of a american-flag.", "A photo of a airplanes."],
    ),
    "stanfordcars": (
        archives.stanfordcars,
        [1, 0],
        ["A photo of a AM General Hummer SUV.", "A photo of a Acura RL Sedan."],
    ),
}
SHIPPED = {
    "dtd": (archives.dtd, [0, 30], "A surface with a banded texture."),
    "eurosat": (archives.eurosat, list(range(10)), "A centered satellite photo of annual crop land."),
    "flowers102": (archives.flowers102, [101, 59], "A photo of a pink primrose, a type of flower."),
}
COUNTS = {
    "tinyimagenet": (200, "val", 10_000),
    "cifar10": (10, "test", 10_000),
    "cifar100": (100, "test", 10_000),
    "stl10": (10, "test", 8_000),
    "sun397": (397, "all", 108_754),
    "food101": (101, "test", 25_250),
    "oxfordpets": (37, "test", 3_669),
    "flowers102": (102, "test", 6_149),
    "dtd": (47, "test", 1_880),
    "eurosat": (10, "all", 27_000),
    "fgvc-aircraft": (100, "test", 3_333),
    "imagenet": (1000, "val", 50_000),
    "caltech101": (101, "all", 8_677),
    "caltech256": (257, "all", 30_607),
    "stanfordcars": (196, "test", 8_041),
    "pcam": (2, "test", 32_768),
}


def _tree(root: Path) -> list[tuple[str, int]]:
    return sorted((str(path.relative_to(root)), path.stat().st_mtime_ns) for path in root.rglob("*"))


def test_rows_say_what_a_complete_copy_holds():
    rows = {row.name: (row.classes, row.split, row.splits[row.split]) for row in ZERO_SHOT_SETS}
    assert rows == COUNTS
    for row in ZERO_SHOT_SETS:
        assert "{}" in row.template and row.source and row.archive
        for prompts in ("fixed", "as-released"):
            assert len(row.shipped_names(prompts)) in (0, row.classes)
            assert len(set(row.shipped_names(prompts))) == len(row.shipped_names(prompts))


@pytest.mark.parametrize("name", LISTED)
def test_names_and_labels_of_the_data(name, tmp_path):
    make, labels, prompts = LISTED[name]
    make(tmp_path)
    before = _tree(tmp_path)
    data = load_image_set(name, tmp_path)
    if name == "caltech101":  # upper case sorts first on disk
        prompts = [prompts[1], prompts[0], prompts[2]]
    assert (data.labels.tolist(), data.prompts) == (labels, prompts)
    assert data[0].image.shape == (*archives.SIZE, 3) and data.common_size == archives.SIZE
    assert "a complete copy" in data.warnings[0]
    assert _tree(tmp_path) == before, "a reader changes nothing on disk"


@pytest.mark.parametrize("folder", [".", "Partitions"])
def test_the_published_parts_of_sun397(tmp_path, folder):
    archives.sun397(tmp_path)
    with pytest.raises(DataError, match=r"Testing_01\.txt"):
        load_image_set("sun397", tmp_path, split="test")
    archives.text(tmp_path / "SUN397" / folder / "Testing_01.txt", "/b/balcony/exterior/sun_b.jpg")
    data = load_image_set("sun397", tmp_path, split="test")
    assert (data.labels.tolist(), len(data.class_names), data.split) == ([1], 2, "test")
    assert len(load_image_set("sun397", tmp_path)) == 2, "all images are measured, as released, unless a part is named"


@pytest.mark.parametrize("name", SHIPPED)
def test_names_that_ship_with_the_package(name, tmp_path):
    make, labels, first = SHIPPED[name]
    make(tmp_path)
    data = load_image_set(name, tmp_path)
    assert (data.labels.tolist(), data.prompts[0], data.classes) == (labels, first, ZERO_SHOT_SETS[name].classes)


def test_the_archive_folder_itself_is_a_root_too(tmp_path):
    archives.food101(tmp_path)
    inside = load_image_set("food101", tmp_path / "food-101")
    assert inside.fingerprint == load_image_set("food101", tmp_path).fingerprint


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("version", ["binary", "python", "python-4"])
def test_cifar_in_all_versions(fine, version, tmp_path):
    protocol = 4 if version == "python-4" else 2
    images = archives.cifar(tmp_path, fine, version.removesuffix("-4"), (3, 8, 3), protocol)
    data = load_image_set("cifar100" if fine else "cifar10", tmp_path)
    assert data.labels.tolist() == [3, 8, 3]
    assert all(np.array_equal(item.image, image) for item, image in zip(data, images, strict=True))
    assert data.prompts[3] == GENERIC + ("bear" if fine else "cat")
    assert data.common_size == (32, 32)


def test_a_batch_of_thousands_is_pickled_in_pieces(tmp_path):
    labels = [number % 10 for number in range(2100)]
    archives.cifar(tmp_path, False, "python", labels)
    assert load_image_set("cifar10", tmp_path).labels.tolist() == labels


def test_a_batch_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    import pickle

    archives.cifar(tmp_path, False, "python")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({b"labels": [1], b"data": Bomb()}))
    with pytest.raises(DataError, match="bytes of pixels, expected 3072"):
        load_image_set("cifar10", tmp_path)
    assert not (tmp_path / "ran").exists()


def test_stl10_stores_columns(tmp_path):
    images = archives.stl10(tmp_path)
    data = load_image_set("stl10", tmp_path)
    assert data.labels.tolist() == [0, 9]
    assert np.array_equal(data[1].image, images[1])


def test_pcam_has_two_sentences_and_a_released_slip(tmp_path):
    pytest.importorskip("h5py")
    images = archives.pcam(tmp_path)
    data = load_image_set("pcam", tmp_path)
    assert data.prompts == [
        "This is a photo of healthy lymph node tissue.",
        "This is a photo of lymph node tumor tissue.",
    ]
    assert load_image_set("pcam", tmp_path, prompts="as-released").prompts[0].startswith("Tthis is a photo of healthy")
    assert np.array_equal(data[1].image, images[1]) and data.labels.tolist() == [0, 1]


def test_shared_words_of_imagenet_are_told_apart_unless_as_released(tmp_path):
    archives.imagenet(tmp_path)
    assert load_image_set("imagenet", tmp_path, prompts="as-released").class_names == ["crane", "kit_fox", "crane"]
    assert load_image_set("imagenet", tmp_path).class_names == ["crane bird", "kit_fox", "crane machine"]


def test_validation_images_of_tinyimagenet_may_have_been_moved(tmp_path):
    archives.tinyimagenet(tmp_path)
    val = tmp_path / "tiny-imagenet-200" / "val"
    flat = load_image_set("tinyimagenet", tmp_path)
    (val / "n04067472" / "images").mkdir(parents=True)
    (val / "images" / "val_0.JPEG").rename(val / "n04067472" / "images" / "val_0.JPEG")
    moved = load_image_set("tinyimagenet", tmp_path)
    assert np.array_equal(flat.labels, moved.labels) and np.array_equal(moved[0].image.shape, flat[1].image.shape)
    assert load_image_set("tinyimagenet", tmp_path, split="train").labels.tolist() == [0, 1]


@pytest.mark.parametrize("name", [row.name for row in ZERO_SHOT_SETS])
def test_what_is_missing_is_said_in_one_sentence(name, tmp_path):
    with pytest.raises(DataError, match=f"no {name} in .*: expected .*; extract .* there, as it comes"):
        load_image_set(name, tmp_path)
    with pytest.raises(UsageError, match=f"{name} is not shipped; pass the folder that holds"):
        load_image_set(name)
    with pytest.raises(UsageError, match=f'{name} has no split "dev"; it has'):
        load_image_set(name, tmp_path, split="dev")


@pytest.mark.parametrize(
    ("name", "make", "gone", "message"),
    [
        (
            "food101",
            archives.food101,
            "food-101/images/apple_pie/2.jpg",
            "lacks 1 of 3 listed images: images/apple_pie/2",
        ),
        ("dtd", archives.dtd, "dtd/images/banded/banded_0002.jpg", "lacks 1 of 2 listed images"),
        ("flowers102", archives.flowers102, "flowers-102/setid.mat", "lacks setid.mat; extract the original archive"),
        ("tinyimagenet", archives.tinyimagenet, "tiny-imagenet-200/words.txt", "has no list of class words; put"),
        ("stl10", archives.stl10, "stl10_binary/test_y.bin", "lacks test_y.bin"),
        ("eurosat", archives.eurosat, "2750/River/River_1.jpg", "the class folder .*River has no images"),
        ("sun397", archives.sun397, "SUN397/a/abbey/sun_a.jpg", "the class folder .*abbey has no images"),
        ("imagenet", archives.imagenet, "imagenet/map_clsloc.txt", "has no list of class words"),
    ],
)
def test_a_part_is_missing(name, make, gone, message, tmp_path):
    make(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(DataError, match=message):
        load_image_set(name, tmp_path)


def test_lists_and_data_that_disagree(tmp_path):
    archives.fgvc(tmp_path / "a")
    archives.text(tmp_path / "a" / "fgvc-aircraft-2013b" / "data" / "variants.txt", "707-320")
    with pytest.raises(DataError, match='names the class "DHC-8-100", which the list of 1 classes does not have'):
        load_image_set("fgvc-aircraft", tmp_path / "a")
    archives.cifar(tmp_path / "b", False, "binary", (3, 12))
    with pytest.raises(DataError, match="has a label 12, but 10 class names"):
        load_image_set("cifar10", tmp_path / "b")
    archives.cifar(tmp_path / "c", False, "binary")
    batch = tmp_path / "c" / "cifar-10-batches-bin" / "test_batch.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(DataError, match="no multiple of 3073"):
        load_image_set("cifar10", tmp_path / "c")
