"""Warnings about conventions, and the full check of a folder."""

import numpy as np
import pytest
from datasets_files import SIZE, depth_array, make_set, save

from rgbdsod.datasets import Scenes, check_folder, load_dataset


def texts(data, level=None):
    return [finding.text for finding in check_folder(data) if level in (None, finding.level)]


def flip(root, ids):
    for name in ids:
        save(root / f"depth/{name}.png", 255 - depth_array())


@pytest.mark.parametrize(("flipped", "warned"), [(0, False), (7, False), (8, True), (10, True)])
def test_less_than_30_percent_nearer_is_a_warning_and_never_a_flip(tmp_path, flipped, warned):
    ids = [str(index) for index in range(10)]
    make_set(tmp_path, ids)
    flip(tmp_path, ids[:flipped])
    data = load_dataset(tmp_path)
    assert [("looks inverted" in text, "--depth-invert" in text) for text in data.warnings] == [(True, True)] * warned
    assert np.allclose(data[9].depth, (255 - depth_array() if flipped == 10 else depth_array()) / 255)
    assert not any("inverted" in text for text in load_dataset(tmp_path, depth_invert=True).warnings) or flipped < 8


def test_the_advice_follows_the_flag(tmp_path):
    make_set(tmp_path)
    (text,) = load_dataset(tmp_path, depth_invert=True).warnings
    assert "in 0 of 3 images; read them without --depth-invert" in text


@pytest.mark.parametrize(("salient", "warned"), [("farther", False), ("either", False), ("nearer", True)])
def test_a_folder_may_say_that_objects_are_farther(tmp_path, salient, warned):
    make_set(tmp_path)
    flip(tmp_path, ("1", "2", "10"))
    (tmp_path / "rgbdsod.toml").write_text(f'salient = "{salient}"')
    assert bool(load_dataset(tmp_path).warnings) == warned


def test_without_masks_the_centre_is_compared_with_the_border(tmp_path):
    make_set(tmp_path, mask=None)
    assert load_dataset(tmp_path, masks="optional").warnings == []
    assert "inverted" in load_dataset(tmp_path, masks="optional", depth_invert=True).warnings[0]


def test_only_selected_images_are_looked_at(tmp_path):
    make_set(tmp_path)
    save(tmp_path / "GT/2.png", np.zeros(SIZE, np.uint8))
    assert load_dataset(tmp_path, ids=["1", "10"]).warnings == []


def test_the_full_check_lists_all_damage(tmp_path):
    make_set(tmp_path, ("1", "2", "3", "4", "5", "05"))
    (tmp_path / "RGB/1.jpg").write_bytes(b"")
    save(tmp_path / "depth/2.png", depth_array((6, 8)))
    save(tmp_path / "GT/3.png", np.zeros(SIZE, np.uint8))
    save(tmp_path / "depth/4.png", np.full(SIZE, 3, np.uint8))
    errors, others = texts(tmp_path, "error"), texts(tmp_path, "warning")
    assert len(errors) == 2 and "is empty" in errors[0] and "rgb is 16x12 but depth is 8x6" in errors[1]
    for words in ("id 3: mask has no foreground", "constant", "nearly the same, perhaps one image twice: 05, 5"):
        assert sum(words in text for text in others) == 1


def test_a_clean_folder_has_no_findings(tmp_path):
    assert check_folder(make_set(tmp_path / "mine")) == []
    assert check_folder(load_dataset(tmp_path / "mine")) == []
    assert check_folder(Scenes(3, size=(32, 32))) == []


@pytest.mark.parametrize(
    ("name", "count", "level", "words"),
    [
        ("GIT", 80, "note", "80 images, as in GIT all"),
        ("GIT", 3, "warning", "3 images, but GIT has: all 80"),
        ("DES", 4, "warning", "have a size that DES"),
    ],
)
def test_known_sets_are_compared_with_the_catalogue(tmp_path, name, count, level, words):
    root = make_set(tmp_path / name, [str(1000 + index) for index in range(count)])
    assert any(words in text for text in texts(root, level))


def test_split_of_a_known_set(tmp_path):
    root = make_set(tmp_path / "LFSD" / "test", [str(100 + index) for index in range(100)])
    assert any("100 images, as in LFSD all" in text for text in texts(root, "note"))
