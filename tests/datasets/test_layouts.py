"""Trees of RGB, depth and masks as they are in circulation."""

import shutil
import unicodedata

import numpy as np
import pytest
from datasets_files import SIZE, depth_array, make_set, mask_array, rgb_array, save

from rgbdsod.datasets import load_dataset
from rgbdsod.errors import DataError, UsageError

LAYOUTS = {
    "plain": ("RGB/{}.jpg", "depth/{}.png", "GT/{}.png"),
    "upper": ("rgb/{}.JPG", "Depth/{}.BMP", "gt/{}.PNG"),
    "images": ("Images/{}.png", "depths/{}.png", "GroundTruth/{}.png"),
    "left": ("LR/{}_left.jpg", "deep/{}_Depth.png", "masks/{}_GT.png"),
    "some left": ("Img/{}_left.ppm", "dep/{}.png", "label/{}.png"),
    "test": ("test_images/{}_Img.bmp", "test_depth/{}_disp.pgm", "mask/{}-mask.bmp"),
    "dashes": ("im/{}-rgb.jpg", "depth/{}-depth.png", "GT/{}.jpg"),
    "one folder": ("image_{}.jpg", "depth_{}.png", "gt_{}.png"),
    "one folder, suffixes": ("{}.jpg", "{}_depth.png", "{}_mask.png"),
    "inside": ("NLPR/RGB/{}.jpg", "NLPR/depth/{}.png", "NLPR/GT/{}.png"),
    "deep inside": ("data/NLPR_test/RGB/{}.jpg", "data/NLPR_test/depth/{}.png", "data/NLPR_test/GT/{}.png"),
    "split inside": ("RGB/test/{}.jpg", "depth/test/{}.png", "GT/test/{}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    rgb, depth, mask = LAYOUTS[layout]
    data = load_dataset(make_set(tmp_path / "set", ("10", "2", "1"), rgb=rgb, depth=depth, mask=mask))
    assert data.ids == ["1", "2", "10"]  # natural order
    assert data.sizes() == [SIZE] * 3
    for sample in data:
        assert sample.rgb.shape == (*SIZE, 3)
        assert np.allclose(sample.depth, depth_array() / 255)
        assert np.array_equal(sample.mask > 128, mask_array() > 128)
        assert sample.valid.all() and sample.depth_levels == 255


def test_a_suffix_that_all_roles_share_belongs_to_the_id(tmp_path):
    data = load_dataset(
        make_set(tmp_path, ("1",), rgb="RGB/{}_left.jpg", depth="depth/{}_left.png", mask="GT/{}_left.png")
    )
    assert data.ids == ["1_left"]


def test_files_of_one_id_belong_together(tmp_path):
    data = load_dataset(make_set(tmp_path, ("b", "a"), rgb="RGB/{}_left.png", depth="depth/{}.png"))
    assert np.array_equal(data[0].rgb, rgb_array(1)) and np.array_equal(data[1].rgb, rgb_array(0))


@pytest.mark.parametrize("names", [("frame 1", "frame 2.5 b"), ("zażółć", "猫"), ("a.b.c", "a.b.d"), ("A", "b")])
def test_unusual_stems(tmp_path, names):
    assert sorted(load_dataset(make_set(tmp_path / "set", names)).ids) == sorted(names)


def test_accents_match_however_they_are_spelt(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    make_set(tmp_path, (composed,))
    (tmp_path / "depth" / f"{composed}.png").rename(tmp_path / "depth" / f"{decomposed}.png")
    assert load_dataset(tmp_path).ids == [composed]


def test_a_folder_with_one_image(tmp_path):
    assert len(load_dataset(make_set(tmp_path, ("only",)))) == 1


def test_splits_are_named_and_several_are_listed(tmp_path):
    for split in ("train", "test"):
        make_set(tmp_path / "NLPR" / split, (split,))
    assert load_dataset(tmp_path / "NLPR" / "train").ids == ["train"]
    assert load_dataset(tmp_path / "NLPR" / "train").name == "NLPR-train"
    with pytest.raises(UsageError, match=r"holds 2 data sets; pass one of them: .*NLPR/test, .*NLPR/train"):
        load_dataset(tmp_path / "NLPR")


def test_splits_inside_the_role_folders(tmp_path):
    for split in ("train", "test"):
        make_set(
            tmp_path,
            (split,),
            rgb=f"RGB/{split}/{{}}.jpg",
            depth=f"depth/{split}/{{}}.png",
            mask=f"GT/{split}/{{}}.png",
        )
    assert load_dataset(tmp_path / "test").ids == ["test"]
    with pytest.raises(UsageError, match="2 data sets"):
        load_dataset(tmp_path)


def test_list_files(tmp_path):
    make_set(tmp_path, ("1", "2", "my 3"), rgb="RGB/{}_left.jpg", depth="depth/{}.png")
    line = "RGB/{0}_left.jpg depth/{0}.png GT/{0}.png\n"
    (tmp_path / "train.lst").write_text(line.format("1") + "\n" + line.format("my 3"))
    (tmp_path / "test.lst").write_text(line.format("2"))
    assert load_dataset(tmp_path).ids == ["1", "2", "my 3"]
    assert load_dataset(tmp_path / "train.lst").ids == ["1", "my 3"]
    assert load_dataset(tmp_path / "test").ids == ["2"]
    assert load_dataset(tmp_path / "test").name.endswith("-test")


def test_a_list_without_masks_and_a_broken_one(tmp_path):
    make_set(tmp_path / "x", ("1",), mask=None)
    (tmp_path / "x.lst").write_text("x/RGB/1.jpg x/depth/1.png\n")
    assert load_dataset(tmp_path / "x.lst", masks="optional")[0].mask is None
    (tmp_path / "x.lst").write_text("x/RGB/1.jpg\n")
    with pytest.raises(DataError, match=r'x.lst line 1 is "x/RGB/1.jpg"; expected three files'):
        load_dataset(tmp_path / "x.lst")
    (tmp_path / "x.lst").write_text("x/RGB/1.jpg x/depth/1.png x/GT/1.png\n")
    with pytest.raises(DataError, match="no mask image"):
        load_dataset(tmp_path / "x.lst")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x.lst names no image"),
        ("RGB/8.jpg depth/8.png GT/1.png", "rgb has none; depth has none; mask has 8"),
        ("RGB/1.jpg depth/8.png GT/1.png", r"no two files.*depth has none"),
    ],
)
def test_lists_of_files_that_are_not_there(tmp_path, text, words):
    make_set(tmp_path, ("1",))
    (tmp_path / "x.lst").write_text(text)
    with pytest.raises(DataError, match=words):
        load_dataset(tmp_path / "x.lst")


def test_litter_is_ignored_and_strangers_are_listed_once(tmp_path):
    make_set(tmp_path)
    for name in ("Thumbs.db", ".DS_Store", "._1.png"):
        (tmp_path / "depth" / name).write_bytes(b"x")
    assert load_dataset(tmp_path).warnings == []
    (tmp_path / "GT" / "notes.docx").write_bytes(b"x")
    (tmp_path / "depth" / "raw.mat").write_bytes(b"x")
    (warning,) = load_dataset(tmp_path).warnings
    assert "ignored" in warning and "raw.mat, notes.docx" in warning


def test_two_folders_for_a_role_are_told(tmp_path):
    make_set(tmp_path)
    shutil.copytree(tmp_path / "GT", tmp_path / "masks")
    (warning,) = load_dataset(tmp_path).warnings
    assert "GT is used, not masks" in warning


def test_missing_depth_is_named_as_promised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_set(tmp_path / "data" / "NLPR", [f"{index:04d}" for index in range(80)])
    for name in ("0012", "0044", "0051"):
        (tmp_path / "data/NLPR/depth" / f"{name}.png").unlink()
    with pytest.raises(DataError) as error:
        load_dataset("data/NLPR")
    assert str(error.value) == (
        "no depth image for 3 of 80 ids in data/NLPR: 0012, 0044, 0051 (looked for depth/ID.png, .bmp, .jpg)"
    )
    assert len(load_dataset("data/NLPR", intersect=True)) == 77


@pytest.mark.parametrize(
    ("remove", "words"),
    [
        ("RGB/2.jpg", r"no rgb image for 1 of 3 ids in .*: 2 \(looked for RGB/ID.jpg, .png, .bmp\)"),
        ("GT/10.png", r"no mask image for 1 of 3 ids in .*: 10 \(looked for GT/ID.png, .jpg, .bmp\)"),
    ],
)
def test_other_missing_files(tmp_path, remove, words):
    make_set(tmp_path)
    (tmp_path / remove).unlink()
    with pytest.raises(DataError, match=words):
        load_dataset(tmp_path)


def test_many_missing_ids_are_counted(tmp_path):
    make_set(tmp_path, [str(index) for index in range(20)])
    for index in range(12):
        (tmp_path / f"GT/{index}.png").unlink()
    with pytest.raises(DataError, match=r"for 12 of 20 ids.*: 0, 1, 2, 3, 4, 5, 6, 7 and 4 more"):
        load_dataset(tmp_path)
    assert sum(sample.mask is None for sample in load_dataset(tmp_path, masks="optional")) == 12


def test_without_masks(tmp_path):
    make_set(tmp_path, mask=None)
    with pytest.raises(DataError, match=r"no mask images in .*looked for gt"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path, masks="optional")[0].mask is None


def test_names_that_never_meet(tmp_path):
    make_set(tmp_path, ("1",))
    (tmp_path / "depth/1.png").rename(tmp_path / "depth/9.png")
    with pytest.raises(DataError, match=r"no two files.*rgb has 1; depth has 9; mask has 1"):
        load_dataset(tmp_path)


def test_two_files_for_one_id(tmp_path):
    make_set(tmp_path, ("1",))
    save(tmp_path / "RGB/1.png", rgb_array())
    with pytest.raises(DataError, match="two rgb images for id 1"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "holds no RGB-D images.*it is empty"),
        (lambda root: save(root / "photos/a.png", rgb_array()), "holds no RGB-D images.*it has photos"),
        (lambda root: save(root / "RGB/a.png", rgb_array()), "has no depth folder.*looked for depth, depths"),
        (lambda root: [(root / name).mkdir() for name in ("RGB", "depth")], "no images in RGB, depth"),
    ],
)
def test_folders_without_data(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(DataError, match=words):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("demoo", UsageError, 'no dataset or folder "demoo"; did you mean "demo"'),
        ("nothing-like-it", UsageError, "rgbdsod list datasets"),
        ("", UsageError, "no data set is named"),
        ("scenes:many", UsageError, "scenes:COUNT@HxW"),
        ("scenes:0", UsageError, "1 or more"),
        ("NJU2K", DataError, "NJU2K is not shipped.*download it"),
        ("some/where", DataError, "there is no folder some/where"),
    ],
)
def test_names_that_mean_nothing(tmp_path, monkeypatch, name, error, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        load_dataset(name)


def test_an_image_instead_of_a_folder(tmp_path):
    with pytest.raises(DataError, match="is a file; pass a folder"):
        load_dataset(save(tmp_path / "a.png", rgb_array()))
