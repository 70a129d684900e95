"""Distances between sets of images."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from rgbdsod.errors import UsageError
from rgbdsod.metrics import RandomEmbedder, distribution_distance, frechet_distance, kernel_distance

SEEDS = (0, 1, 2)


def normal(seed, count, dimension):
    return np.random.default_rng(seed).normal(size=(count, dimension))


def test_frechet_distance_of_gaussians_is_the_known_one():
    """Independent axes: squared distance of means plus squared differences of the deviations."""
    base = normal(0, 4000, 3)
    base = (base - base.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(base, rowvar=False))).T
    other = base * (1, 2, 3) + (0.5, 0, -1)
    assert frechet_distance(base, other) == pytest.approx(0.25 + 1 + 1 + 4, rel=1e-3)
    assert frechet_distance(other, base) == pytest.approx(frechet_distance(base, other), rel=1e-9)


def test_frechet_distance_is_that_of_the_matrix_root():
    from scipy.linalg import sqrtm

    one, two = normal(1, 60, 12), normal(2, 50, 12) @ normal(3, 12, 12)
    first, second = (np.cov(x, rowvar=False) + 1e-6 * np.eye(12) for x in (one, two))
    apart = ((one.mean(0) - two.mean(0)) ** 2).sum()
    by_hand = apart + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(one, two) == pytest.approx(by_hand, rel=1e-6)


def test_kernel_distance_is_the_mean_over_pairs():
    one, two = normal(4, 5, 3), normal(5, 4, 3)

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    within = [np.mean([kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (one, two)]
    between = np.mean([kernel(x, y) for x in one for y in two])
    assert kernel_distance(one, two) == pytest.approx(sum(within) - 2 * between)


@pytest.mark.parametrize("seed", SEEDS)
def test_order_of_sets_of_crops(shared, seed):
    """Other crops are near; noise on them and few of them repeated less so; smooth patches and noise are far."""
    rng = np.random.default_rng(0)
    paths = sorted((shared / "data" / "coco_mini").rglob("*.jpg"))[:10]
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    crops = []
    for number in range(192):
        photo = photos[number % 10]
        y, x = (rng.integers(side - 31) for side in photo.shape[:2])
        crops.append(photo[y : y + 32, x : x + 32])
    crops = np.stack(crops).transpose(0, 3, 1, 2) / 255
    reference, others = crops[:96], crops[96:]
    coarse = torch.from_numpy(rng.random((96, 3, 5, 5)))
    sets = [
        others,
        np.clip(others + rng.normal(0, 0.3, others.shape), 0, 1),
        np.tile(others[:8], (12, 1, 1, 1)),
        F.interpolate(coarse, (32, 32), mode="bilinear").numpy(),
        rng.random((96, 3, 32, 32)),
    ]
    embed = RandomEmbedder(seed)
    target = embed(reference)
    natural, noisy, repeated, smooth, noise = (frechet_distance(embed(images), target) for images in sets)
    assert natural < min(noisy, repeated) / 2
    assert max(noisy, repeated) < smooth < noise
    assert frechet_distance(target, target) < 1e-3


def test_the_random_embedder_is_the_same_everywhere():
    images = np.random.default_rng(6).random((3, 3, 16, 16))
    alone = np.concatenate([RandomEmbedder(1)(images[[i]]) for i in range(3)])
    np.testing.assert_allclose(RandomEmbedder(1)(torch.from_numpy(images)), alone, rtol=1e-4)
    assert alone.shape == (3, 96)
    grey = images[:, :1]
    np.testing.assert_allclose(RandomEmbedder()(grey), RandomEmbedder()(grey.repeat(3, 1)), rtol=1e-6)


def test_the_median_of_seeds_is_reported():
    rng = np.random.default_rng(7)
    found = distribution_distance(rng.random((8, 3, 16, 16)), rng.random((9, 1, 12, 16)))
    assert found.name == "FD-random"
    assert sorted(found.by_seed) == [0, 1, 2]
    assert found.frechet == np.median([one for one, _ in found.by_seed.values()])
    assert found.kernel == np.median([one for _, one in found.by_seed.values()])
    assert (found.count, found.dimension, found.enough) == ((8, 9), 96, False)


class Mean:
    """Channel means."""

    def __init__(self, name):
        self.name = name

    def __call__(self, images):
        return images.mean((2, 3))


def test_embedders_of_ones_own():
    images = np.random.default_rng(8).random((20, 3, 8, 8))
    found = distribution_distance(images, images, Mean("means"))
    assert (found.name, found.dimension, found.enough) == ("FD-means", 3, True)
    assert abs(found.frechet) < 1e-3


@pytest.mark.parametrize("name", ["FID", "my-fid", "Inception", "inception_v3"])
def test_no_other_embedder_is_called_fid(name):
    images = np.random.default_rng(9).random((4, 3, 8, 8))
    with pytest.raises(UsageError, match="verified Inception weights"):
        distribution_distance(images, images, Mean(name))


def test_refusals():
    images = np.random.default_rng(10).random((4, 3, 8, 8))
    with pytest.raises(UsageError, match='no embedder "inception"'):
        distribution_distance(images, images, "inception")
    with pytest.raises(UsageError, match="at least two images"):
        distribution_distance(images[:1], images)
    with pytest.raises(UsageError, match="at least 8x8"):
        distribution_distance(images[..., :5], images)
    with pytest.raises(UsageError, match="floats in"):
        distribution_distance((images * 255).astype(np.uint8), images)
    with pytest.raises(UsageError, match="embed both sets alike"):
        frechet_distance(normal(0, 4, 3), normal(0, 4, 2))
    with pytest.raises(UsageError, match="not finite"):
        kernel_distance(normal(0, 4, 3), np.full((4, 3), np.nan))
