"""The built-in set."""

from pathlib import Path

import numpy as np
import pytest

import rgbdsod.datasets.demo
from rgbdsod.datasets import TEST_SEED, check_folder, load_dataset

FOLDER = Path(rgbdsod.datasets.demo.__file__).parent / "assets" / "demo"


def test_twelve_of_each_and_no_warning():
    parts = [load_dataset(name) for name in ("demo:real", "demo:scenes")]
    whole = load_dataset("demo")
    assert [len(part) for part in parts] == [12, 12]
    assert whole.ids == parts[0].ids + parts[1].ids and len(set(whole.ids)) == 24
    assert whole.warnings == [] and whole.name == "demo" and parts[1].name == "demo:scenes"
    assert check_folder(whole) == [] and check_folder(parts[0]) == []


def test_samples_are_sound():
    for sample, size in zip(data := load_dataset("demo"), data.sizes(), strict=True):
        assert sample.size == size == sample.depth.shape == sample.mask.shape
        assert set(np.unique(sample.mask)) == {0, 255}
        assert 0.02 < (sample.mask > 128).mean() < 0.36
        assert sample.valid.mean() > 0.85 and sample.depth_levels == 65535
        assert np.ptp(sample.depth) > 0.1


def test_potholes_lie_deeper_than_the_road():
    for sample in load_dataset("demo:real"):
        inside = sample.mask > 128
        assert sample.depth[inside & sample.valid].mean() < sample.depth[~inside & sample.valid].mean() - 0.1


def test_scenes_have_a_seed_of_their_own_and_all_kinds():
    scenes = load_dataset("demo:scenes")
    assert all(name.startswith(f"scene-{TEST_SEED}-") for name in scenes.ids)
    assert {sample.group for sample in scenes} == {"both", "rgb", "depth"}


def test_the_folder_is_small_licensed_and_as_its_page_says():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    assert "MIT License" in (FOLDER / "LICENSE.txt").read_text()
    assert load_dataset("demo:real").fingerprint in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize(("name", "count", "size", "first"), [
    ("scenes", 64, (128, 128), "scene-0-000000"),
    ("scenes:5", 5, (128, 128), "scene-0-000000"),
    ("scenes:3@64x96", 3, (64, 96), "scene-0-000000"),
    ("scenes:2@32x32#9", 2, (32, 32), "scene-9-000000"),
    ("scenes:2#9", 2, (128, 128), "scene-9-000000"),
])  # fmt: skip
def test_names_of_generated_sets(name, count, size, first):
    data = load_dataset(name)
    assert len(data) == count and set(data.sizes()) == {size} and data.ids[0] == first
    assert load_dataset(data.name).fingerprint == data.fingerprint  # the full name is a name too
    assert load_dataset(name, limit=1)[0].size == size
