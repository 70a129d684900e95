"""Generated scenes: the same everywhere, and such that neither modality alone tells the object."""

import random

import cv2
import numpy as np
import pytest

from rgbdsod.datasets import Scenes, scene, scene_kind
from rgbdsod.errors import UsageError

SEED = 7
KINDS = ("both", "rgb", "depth")
ARRAYS = ("rgb", "depth", "mask", "valid")


def same(a, b) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS) and a.id == b.id


@pytest.mark.parametrize("size", [(128, 128), (64, 96), (97, 61), (16, 16), (352, 352)])
def test_a_scene_keeps_the_contract_of_samples(size):
    sample = scene(3, seed=SEED, size=size)
    assert sample.rgb.shape == (*size, 3) and sample.rgb.dtype == np.uint8
    assert sample.depth.shape == size and sample.depth.dtype == np.float32
    assert sample.depth.min() >= 0 and sample.depth.max() <= 1
    assert sample.valid.shape == size and sample.valid.dtype == bool
    assert set(np.unique(sample.mask)) == {0, 255}
    assert sample.size == size and sample.depth_levels == 65535 and sample.id == "scene-7-000003"
    steps = sample.depth.astype(np.float64) * 65535
    assert np.abs(steps - steps.round()).max() < 0.01


def test_a_scene_is_the_same_alone_and_in_a_set_whatever_the_global_generators_do():
    first = scene(5, seed=SEED)
    np.random.seed(1)
    random.seed(1)
    cv2.setRNGSeed(1)
    assert same(first, Scenes(9, seed=SEED)[5])
    assert same(first, Scenes(2, seed=SEED, start=4)[1])
    state = np.random.get_state()[1].copy()
    scene(6, seed=SEED)
    assert np.array_equal(state, np.random.get_state()[1])


def test_other_indices_and_seeds_give_other_scenes():
    rgb = [scene(index, seed=seed).rgb for index, seed in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert all(not np.array_equal(a, b) for i, a in enumerate(rgb) for b in rgb[:i])


@pytest.mark.parametrize("index", range(6))
def test_a_scene_looks_the_same_at_twice_the_size(index):
    small, large = scene(index, seed=SEED), scene(index, seed=SEED, size=(256, 256))

    def shrunk(array):
        return cv2.resize(array.astype(np.float32), (128, 128), interpolation=cv2.INTER_AREA)

    assert np.abs(shrunk(large.mask) - small.mask).mean() < 4
    assert np.abs(shrunk(large.rgb) - small.rgb).mean() < 10
    assert np.abs(shrunk(large.depth) - small.depth).mean() < 0.02


def test_kinds_come_in_their_shares_and_are_what_the_sample_says():
    kinds = [scene_kind(index, SEED) for index in range(2000)]
    shares = {kind: kinds.count(kind) / len(kinds) for kind in ("both", "rgb", "depth")}
    assert shares == pytest.approx({"both": 0.6, "rgb": 0.2, "depth": 0.2}, abs=0.04)
    assert [scene(index, seed=SEED, size=(32, 32)).group for index in range(40)] == kinds[:40]


@pytest.mark.parametrize("size", [(128, 128), (128, 208)])
def test_objects_cover_a_moderate_share_of_the_image(size):
    shares = [(scene(index, seed=SEED, size=size).mask > 0).mean() for index in range(100)]
    assert min(shares) > 0.025 and max(shares) < 0.36 and 0.07 < np.mean(shares) < 0.2


def edges(sample) -> tuple[float, float]:
    """Steps of colour and of depth across the border of the mask, as medians along it."""
    mask = (sample.mask > 0).astype(np.uint8)
    kernel = np.ones((7, 7), np.uint8)
    inner, outer = mask - cv2.erode(mask, kernel), cv2.dilate(mask, kernel) - mask
    pairs = []
    for array in (sample.rgb.astype(float) / 255, sample.depth[..., None].astype(float)):
        means = [cv2.blur(array * ring[..., None], (15, 15)).reshape(*mask.shape, -1) for ring in (inner, outer)]
        weights = [cv2.blur(ring.astype(float), (15, 15))[..., None] for ring in (inner, outer)]
        border = (weights[0] > 0.02) & (weights[1] > 0.02)
        inside, outside = (np.where(border, m / np.maximum(w, 1e-9), 0) for m, w in zip(means, weights, strict=True))
        pairs.append(float(np.median(np.linalg.norm(inside - outside, axis=-1)[border[..., 0]])))
    return pairs[0], pairs[1]


@pytest.mark.parametrize(
    ("kind", "colour", "depth"), [("both", True, True), ("rgb", True, False), ("depth", False, True)]
)
def test_the_object_stands_out_by_the_cues_of_its_kind_only(kind, colour, depth):
    steps = np.array([edges(scene(index, seed=SEED, kind=kind)) for index in range(25)])
    by_colour, by_depth = steps[:, 0], steps[:, 1]
    assert (by_colour > 0.2).mean() > 0.9 if colour else (by_colour < 0.12).all()
    assert (by_depth > 0.06).mean() > 0.9 if depth else (by_depth < 0.02).all()


def test_in_a_scene_of_both_each_modality_has_a_distractor():
    """What stands out in one modality alone is much more than the object."""
    shares = {kind: [coloured_outside(scene(index, seed=SEED, kind=kind)) for index in range(25)] for kind in KINDS}
    assert np.median(shares["both"]) > 0.4 and np.median(shares["rgb"]) < 0.05 and np.median(shares["depth"]) < 0.05
    nearer = []
    for index in range(25):
        sample = scene(index, seed=SEED, kind="both")
        mask = sample.mask > 0
        depth = cv2.medianBlur(sample.depth, 5)
        nearer.append(((depth >= np.median(depth[mask])) & ~mask).sum() / mask.sum())
    assert np.median(nearer) > 0.2


def coloured_outside(sample) -> float:
    """Area outside the mask that is far from the colour of the image's border, as a share of the mask."""
    rim = np.concatenate([sample.rgb[:2].reshape(-1, 3), sample.rgb[-2:].reshape(-1, 3)])
    gap = np.linalg.norm(sample.rgb - np.median(rim, axis=0), axis=-1) / 255
    mask = cv2.dilate(sample.mask, np.ones((5, 5), np.uint8)) > 0
    return float(((gap > 0.42) & ~mask).sum() / mask.sum())


def test_noise_grows_with_distance_and_holes_stay_few():
    ratios, holes = [], []
    for index in range(60):
        sample = scene(index, seed=SEED, kind="rgb")
        noise = np.abs(sample.depth[:, 1:] - sample.depth[:, :-1])
        far = sample.depth[:, 1:] < np.median(sample.depth)
        ratios.append(np.median(noise[far]) / np.median(noise[~far]))
        holes.append(1 - sample.valid.mean())
    assert np.median(ratios) > 1.02
    assert 0.001 < np.mean(holes) < 0.08


def test_beside_near_things_lies_a_shadow_without_measurement():
    sample = scene(1, seed=SEED, kind="depth")
    mask = sample.mask > 0
    left = np.zeros_like(mask)
    left[:, :-1] = mask[:, 1:]
    border = left & ~mask
    assert (~sample.valid[border]).mean() > 0.9


def test_forcing_a_kind_changes_nothing_for_a_scene_that_is_of_it():
    index = next(index for index in range(50) if scene_kind(index, SEED) == "depth")
    assert same(scene(index, seed=SEED), scene(index, seed=SEED, kind="depth"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"index": -1}, "0 or more"),
        ({"index": 0, "seed": -3}, "0 or more"),
        ({"index": 0, "size": (8, 64)}, "too small"),
        ({"index": 0, "kind": "sound"}, "both, rgb, depth"),
    ],
)
def test_wrong_arguments_are_explained(arguments, words):
    with pytest.raises(UsageError, match=words):
        scene(**arguments)


def test_a_set_without_scenes_is_refused():
    with pytest.raises(UsageError, match="1 or more"):
        Scenes(0)
