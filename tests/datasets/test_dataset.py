"""Selecting, joining and fingerprints."""

import pytest
from datasets_files import depth_array, make_set, save

from rgbdsod.datasets import Scenes, join, load_dataset
from rgbdsod.errors import UsageError


def test_positions_count_from_both_ends_and_end():
    scenes = Scenes(3, size=(16, 16))
    assert scenes[-1].id == scenes[2].id == scenes.ids[2]
    assert [sample.id for sample in scenes] == scenes.ids
    for index in (3, -4):
        with pytest.raises(IndexError, match="has 3 images"):
            scenes[index]


def test_selection_keeps_order_and_limit():
    scenes = Scenes(6, size=(16, 24))
    chosen = scenes.select([scenes.ids[4], scenes.ids[1], scenes.ids[5]], limit=2)
    assert chosen.ids == [scenes.ids[4], scenes.ids[1]]
    assert [sample.id for sample in chosen] == chosen.ids
    assert chosen.sizes() == [(16, 24)] * 2
    assert scenes.select() is scenes
    assert scenes.select(limit=100).ids == scenes.ids


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"limit": 0}, "--limit 0 selects no image"),
        ({"limit": -2}, "--limit -2 selects no image"),
        ({"ids": []}, "--ids is empty"),
        ({"ids": ["scene-0-00000"]}, 'did you mean "scene-0-00000'),
        ({"ids": ["zebra"]}, 'no id "zebra".*its 4 ids look like scene-0-000000'),
        ({"ids": ["scene-0-000001", "scene-0-000001"]}, '"scene-0-000001" twice'),
    ],
)
@pytest.mark.parametrize("kind", ["scenes", "folder"])
def test_empty_and_unknown_selections_are_explained(tmp_path, kind, arguments, words):
    names = [f"scene-0-{index:06d}" for index in range(4)]
    data = "scenes:4@16x16" if kind == "scenes" else make_set(tmp_path / "set", names)
    with pytest.raises(UsageError, match=words):
        load_dataset(data, **arguments)


def test_the_fingerprint_is_that_of_the_samples_however_they_were_chosen():
    scenes = Scenes(5, size=(16, 16))
    ids = scenes.ids[1:3]
    assert scenes.select(ids).fingerprint == Scenes(2, size=(16, 16), start=1).fingerprint
    assert (
        scenes.select(limit=2).fingerprint
        == join("any", [Scenes(1, size=(16, 16)), Scenes(1, size=(16, 16), start=1)]).fingerprint
    )
    different = [
        Scenes(5, size=(16, 16), seed=1),
        Scenes(5, size=(16, 17)),
        Scenes(4, size=(16, 16)),
        scenes.select(ids),
    ]
    assert len({data.fingerprint for data in [scenes, *different]}) == 5
    assert len(scenes.fingerprint) == 64


def test_the_fingerprint_of_a_folder_follows_contents_ids_and_reading(tmp_path):
    root = make_set(tmp_path / "a")
    first = load_dataset(root)
    prints = [first.fingerprint, load_dataset(make_set(tmp_path / "b")).fingerprint]
    assert prints[0] == prints[1]  # neither the place nor the time matters
    prints = [
        first.fingerprint,
        load_dataset(root, depth_invert=True).fingerprint,
        load_dataset(root, limit=2).fingerprint,
        load_dataset(make_set(tmp_path / "c", ("1", "2", "11"))).fingerprint,
    ]
    changed = depth_array()
    changed[0, 0] += 1
    save(root / "depth/1.png", changed)
    prints.append(load_dataset(root).fingerprint)
    assert len(set(prints)) == 5
    assert load_dataset(root, limit=2).fingerprint == load_dataset(root, ids=["1", "2"]).fingerprint


def test_sets_joined_by_name():
    """ "A+N*B" is A, then B as often as asked."""
    joined = load_dataset("scenes:3@32x32+2*demo:train")
    single = load_dataset("demo:train")
    assert joined.ids == [*load_dataset("scenes:3@32x32").ids, *single.ids, *single.ids]
    assert len(load_dataset("scenes:3@32x32+demo:train", limit=4)) == 4


@pytest.mark.parametrize("name", ["scenes:3+", "scenes:3+x*demo", "+demo", "scenes:3+2*"])
def test_joined_name_that_means_nothing(name):
    with pytest.raises(UsageError, match=r"scenes:8000\+100\*demo:train|no dataset"):
        load_dataset(name)
