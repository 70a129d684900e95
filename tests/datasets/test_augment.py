"""Augmentation changes all inputs alike, and light only in the RGB."""

from dataclasses import replace

import numpy as np

from rgbdsod.datasets import Augmentation, augment, load_dataset, mixture, resized, scene


def _aligned():
    """A sample whose four arrays show the same picture."""
    ramp = (
        np.tile(np.linspace(0, 1, 96, dtype=np.float32), (64, 1)) * np.linspace(0.2, 1, 64, dtype=np.float32)[:, None]
    )
    levels = (ramp * 255).astype(np.uint8)
    rgb = np.repeat(levels[..., None], 3, axis=2)
    return replace(scene(0, size=(64, 96)), rgb=rgb, depth=levels / np.float32(255), mask=levels, valid=levels > 100)


def test_geometry_is_the_same_for_all_inputs() -> None:
    for seed in range(5):
        out = augment(_aligned(), np.random.default_rng(seed), Augmentation(flip=0.5, crop=0.6, light=0))
        assert out.rgb.shape == (64, 96, 3)
        assert np.abs(out.rgb[..., 0].astype(int) - out.mask.astype(int)).max() <= 1
        assert np.abs(out.depth * 255 - out.mask).max() <= 1.5
        assert np.mean(out.valid == (out.mask > 100)) > 0.97


def test_flip_and_crop_happen() -> None:
    flipped = augment(_aligned(), np.random.default_rng(0), Augmentation(flip=1, crop=1, light=0))
    assert np.array_equal(flipped.rgb, _aligned().rgb[:, ::-1])
    cropped = augment(_aligned(), np.random.default_rng(0), Augmentation(flip=0, crop=0.5, light=0))
    assert not np.array_equal(cropped.rgb, _aligned().rgb)


def test_light_changes_the_rgb_alone() -> None:
    sample = scene(3, size=(64, 96))
    out = augment(sample, np.random.default_rng(1), Augmentation(flip=0, crop=1, light=0.5))
    assert not np.array_equal(out.rgb, sample.rgb)
    assert np.array_equal(out.depth, sample.depth)
    assert np.array_equal(out.mask, sample.mask)


def test_the_same_stream_gives_the_same_sample_and_nothing_is_changed_in_place() -> None:
    sample = scene(4, size=(64, 64))
    before = sample.rgb.copy()
    one, two = (augment(sample, np.random.default_rng(7), Augmentation()) for _ in range(2))
    assert np.array_equal(one.rgb, two.rgb)
    assert np.array_equal(sample.rgb, before)


def test_resized() -> None:
    small = resized(scene(1, size=(64, 96)), (32, 48))
    assert small.rgb.shape == (32, 48, 3)
    assert small.depth.shape == small.mask.shape == small.valid.shape == (32, 48)
    assert small.valid.dtype == np.bool_


def test_a_mixture_keeps_its_shares() -> None:
    parts = [(load_dataset("scenes:50@64x64"), 0.75), (load_dataset("demo:train"), 0.25)]
    mixed = mixture("mixed", parts, 1000)
    real = sum(name.startswith("pothole") for name in mixed.ids)
    assert 200 < real < 300
    assert mixed.ids == mixture("mixed", parts, 1000).ids
    assert set(mixed.ids) == {*parts[0][0].ids, *parts[1][0].ids}


def test_training_photographs_are_not_in_the_demo_set() -> None:
    assert not set(load_dataset("demo:train").ids) & set(load_dataset("demo").ids)
