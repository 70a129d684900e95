"""Writing and reading back, and batches."""

import dataclasses

import numpy as np
import pytest
import torch
from datasets_files import SIZE, make_set, mask_array, rgb_array

from rgbdsod.datasets import (
    collate,
    load_dataset,
    read_depth,
    read_map,
    read_rgb,
    scene,
    write_depth,
    write_map,
    write_rgb,
)
from rgbdsod.datasets.sample import on_grid
from rgbdsod.errors import DataError, UsageError


@pytest.mark.parametrize("levels", [255, 65535])
def test_depth_comes_back_exactly_on_the_grid(tmp_path, levels):
    depth = on_grid(np.random.default_rng(0).random(SIZE), levels)
    depth[0, :2] = (0, 1)
    write_depth(tmp_path / "d.png", depth, levels)
    assert np.array_equal(read_depth(tmp_path / "d.png"), depth)


@pytest.mark.parametrize("levels", [255, 65535])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_depth_comes_back_too(tmp_path, levels, value):
    depth = on_grid(np.full(SIZE, value), levels)
    write_depth(tmp_path / "d.png", depth, levels)
    assert np.array_equal(read_depth(tmp_path / "d.png"), depth)


def test_every_sample_of_the_demo_comes_back(tmp_path):
    for sample in load_dataset("demo"):
        write_depth(tmp_path / "d.png", sample.depth, sample.depth_levels)
        write_rgb(tmp_path / "c.png", sample.rgb)
        assert np.array_equal(read_depth(tmp_path / "d.png"), sample.depth)
        assert np.array_equal(read_rgb(tmp_path / "c.png"), sample.rgb)


def test_colour_and_maps_come_back_and_nothing_else_is_left(tmp_path):
    write_rgb(tmp_path / "c.png", rgb_array())
    write_map(tmp_path / "m.png", mask_array())
    assert np.array_equal(read_rgb(tmp_path / "c.png"), rgb_array())
    assert np.array_equal(read_map(tmp_path / "m.png"), mask_array())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "m.png"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_map(tmp_path / "m.png", mask_array())

    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_map(tmp_path / "m.png", 255 - mask_array())
    assert [path.name for path in tmp_path.iterdir()] == ["m.png"]
    assert np.array_equal(read_map(tmp_path / "m.png"), mask_array())


@pytest.mark.parametrize(
    ("depth", "levels", "words"),
    [
        (np.full(SIZE, 0.5), 100, "255 or 65535 levels"),
        (np.full(SIZE, 1.5), 255, "values from 1.5 to 1.5"),
        (np.full(SIZE, np.nan), 255, "pass depth in"),
    ],
)
def test_depth_that_cannot_be_written(tmp_path, depth, levels, words):
    with pytest.raises(UsageError, match=words):
        write_depth(tmp_path / "d.png", depth, levels)
    assert not list(tmp_path.iterdir())


def test_a_written_set_is_read_back_exactly(tmp_path):
    """What an attack saves is what the ordinary loader measures."""
    samples = [scene(index, size=(24, 32)) for index in range(3)]
    for sample in samples:
        for folder, write, array in (("RGB", write_rgb, sample.rgb), ("GT", write_map, sample.mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write(tmp_path / folder / f"{sample.id}.png", array)
        (tmp_path / "depth").mkdir(exist_ok=True)
        write_depth(tmp_path / "depth" / f"{sample.id}.png", sample.depth, sample.depth_levels)
    (tmp_path / "rgbdsod.toml").write_text('depth_range = "full"')
    for before, after in zip(samples, load_dataset(tmp_path), strict=True):
        for name in ("rgb", "depth", "mask"):
            assert np.array_equal(getattr(before, name), getattr(after, name))


def test_a_batch_has_the_promised_tensors():
    samples = [scene(index, size=(24, 32)) for index in range(3)]
    batch = collate(samples)
    assert {name: (tuple(t.shape), t.dtype) for name, t in batch.items()} == {
        "rgb": ((3, 3, 24, 32), torch.float32),
        "depth": ((3, 1, 24, 32), torch.float32),
        "mask": ((3, 1, 24, 32), torch.float32),
        "valid": ((3, 1, 24, 32), torch.bool),
    }
    assert torch.equal(batch["rgb"][1, 2], torch.from_numpy(samples[1].rgb[..., 2]) / 255)
    assert np.array_equal(batch["depth"][2, 0].numpy(), samples[2].depth)
    assert batch["mask"].unique().tolist() == [0, 1]
    assert batch["rgb"].is_contiguous()


def test_a_batch_does_not_share_memory_with_its_samples():
    sample = scene(0, size=(16, 16))
    before = sample.depth.copy()
    collate([sample])["depth"].zero_()
    assert np.array_equal(sample.depth, before)


def test_batches_without_masks(tmp_path):
    bare = load_dataset(make_set(tmp_path, mask=None), masks="optional")
    assert "mask" not in collate(list(bare))
    with pytest.raises(DataError, match="id 1 has no mask"):
        collate([dataclasses.replace(bare[1], mask=mask_array()), bare[0]])


def test_sizes_that_differ():
    with pytest.raises(DataError, match=r"is 16x24 but scene-0-000001 is 16x16.*--batch 1"):
        collate([scene(0, size=(24, 16)), scene(1, size=(16, 16))])
