"""The paired bootstrap."""

import numpy as np
import pytest

from rgbdsod.metrics import paired_change


def test_the_interval_of_a_normal_sample():
    rng = np.random.default_rng(0)
    clean = rng.uniform(size=400)
    attacked = clean - 0.2 + 0.1 * rng.normal(size=400)
    found = paired_change(clean, attacked)
    change = attacked - clean
    half = 1.96 * change.std(ddof=1) / 20
    assert found.mean == pytest.approx(change.mean())
    assert found.low == pytest.approx(change.mean() - half, abs=0.0008)
    assert found.high == pytest.approx(change.mean() + half, abs=0.0008)


def test_pairs_stay_together():
    """A constant change is certain, however much the images differ."""
    clean = np.linspace(0, 1, 9)
    found = paired_change(clean, clean - 0.25)
    assert (found.low, found.mean, found.high) == pytest.approx((-0.25, -0.25, -0.25))


def test_the_seed_decides():
    clean, attacked = np.random.default_rng(1).uniform(size=(2, 12))
    assert paired_change(clean, attacked, seed=3) == paired_change(clean, attacked, seed=3)
    assert paired_change(clean, attacked, seed=3) != paired_change(clean, attacked, seed=4)


def test_a_higher_level_is_wider():
    clean, attacked = np.random.default_rng(2).uniform(size=(2, 30))
    narrow, wide = (paired_change(clean, attacked, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_one_image():
    assert paired_change(np.array([0.9]), np.array([0.4])).low == pytest.approx(-0.5)
