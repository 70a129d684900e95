"""Derived numbers of cells whose answers are known."""

import numpy as np
import pytest

from rgbdsod.run.ablation.derived import Derived, Means, derived_numbers, table_rows
from rgbdsod.run.ablation.grid import Network
from rgbdsod.run.ablation.measure import MISSING, Cell, Condition
from rgbdsod.run.ablation.statistics import Draws, estimate, share

IMAGES = 6
CLEAN = Condition()
VALUES = dict.fromkeys(("sm", "fm_max", "em_max", "mae", "iou_bin"), 0.5)


def cells(fusion, values, training="plain", spread=0.0):
    """One design with two seeds; every image of a condition has one value, those of seed 1 lie `spread` higher."""
    return [
        Cell(Network("bbsnet", fusion, training, seed), condition, VALUES, np.full(IMAGES, value + seed * spread))
        for condition, value in values.items()
        for seed in (0, 1)
    ]


def under(modality, eps=4 / 255, attack="pgd"):
    return Condition(attack, modality, eps)


FUSED = {
    CLEAN: 0.8,
    under("rgb"): 0.6,
    under("depth"): 0.4,
    under("both"): 0.1,
    Condition(MISSING, "rgb"): 0.7,
    Condition(MISSING, "depth"): 0.5,
}


@pytest.fixture(scope="module")
def numbers():
    plain = cells("early", FUSED) + cells("feature", {key: value - 0.1 for key, value in FUSED.items()})
    trained = cells("early", {key: value + 0.05 for key, value in FUSED.items()}, "itc")
    reference = cells("rgb", {CLEAN: 0.75, under("rgb"): 0.3})
    return derived_numbers(Means(plain + trained + reference))


def find(numbers, kind, condition, fusion="early", training="plain") -> Derived:
    (found,) = [
        own
        for own in numbers
        if own.kind == kind
        and own.condition == condition
        and (own.design.fusion, own.design.training) == (fusion, training)
    ]
    return found


def test_relative_drop(numbers):
    for modality, expected in (("rgb", 0.25), ("depth", 0.5), ("both", 0.875)):
        assert find(numbers, "relative_drop", under(modality)).estimate.value == pytest.approx(expected)
    assert not [own for own in numbers if own.kind == "relative_drop" and own.condition.attack in ("clean", MISSING)]


def test_reliance_is_the_share_of_the_drops(numbers):
    rgb, depth = (find(numbers, "reliance", under(name)).estimate.value for name in ("rgb", "depth"))
    assert (rgb, depth) == pytest.approx((1 / 3, 2 / 3))
    lost = find(numbers, "reliance_missing", Condition(MISSING, "depth")).estimate.value
    assert lost == pytest.approx(0.375 / (0.375 + 0.125))


def test_interaction_is_what_both_lose_beyond_the_sum(numbers):
    assert find(numbers, "interaction", under("both")).estimate.value == pytest.approx(0.875 - 0.25 - 0.5)


def test_gap_to_the_reference_under_the_same_attack(numbers):
    assert find(numbers, "gap_to_rgb", under("rgb")).estimate.value == pytest.approx(0.3)
    assert find(numbers, "gap_to_rgb", CLEAN).estimate.value == pytest.approx(0.05)
    assert not [own for own in numbers if own.kind == "gap_to_rgb" and own.condition.modality == "depth"]
    assert not [own for own in numbers if own.kind == "gap_to_rgb" and own.design.fusion == "rgb"]


def test_difference_and_externality(numbers):
    found = find(numbers, "difference", under("depth"))
    assert found.against == "feature" and found.estimate.value == pytest.approx(0.1)
    assert found.estimate.significant
    own = find(numbers, "externality", under("both"), training="itc")
    assert own.against == "plain" and own.estimate.value == pytest.approx(0.05)


def test_no_number_where_nothing_was_lost():
    flat = cells("early", dict.fromkeys(FUSED, 0.8))
    found = find(derived_numbers(Means(flat)), "reliance", under("rgb")).estimate
    assert (found.value, found.low, found.high) == (None, None, None) and not found.significant


def test_differences_are_paired_over_images():
    """What images have in common does not widen the interval of a difference; the means' own intervals are wide."""
    rng = np.random.default_rng(0)
    easy = rng.uniform(0.2, 0.9, 32)
    made = [
        Cell(Network("bbsnet", fusion, "plain", seed), CLEAN, VALUES, easy + shift)
        for fusion, shift in (("early", 0.0), ("feature", 0.01))
        for seed in (0, 1)
    ]
    means = Means(made)
    (found,) = derived_numbers(means)[-1:]
    assert found.estimate.high - found.estimate.low < 1e-9 and found.estimate.significant
    row = table_rows(means)[0]
    assert row["high"] - row["low"] > 0.05
    assert row["seeds"] == pytest.approx([easy.mean()] * 2)


def test_intervals_grow_with_the_spread_of_seeds():
    def width(spread):
        row = table_rows(Means(cells("early", {CLEAN: 0.5}, spread=spread)))[0]
        return row["high"] - row["low"]

    assert width(0.0) == pytest.approx(0.0, abs=1e-12)
    assert width(0.2) == pytest.approx(0.2)  # half of the draws are of one seed alone


def test_draws_agree_with_plain_resampling():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(3, 20))
    found = estimate(Draws(3, 20).mean(table))
    plain = [table[rng.integers(3, size=3)][:, rng.integers(20, size=20)].mean() for _ in range(4000)]
    low, high = np.quantile(plain, [0.025, 0.975])
    assert found.value == pytest.approx(table.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)


def test_share_of_a_sum_that_is_nearly_nothing():
    assert np.isnan(share(np.array([0.001]), [np.array([0.002])]))[0]
    assert share(np.array([0.1]), [np.array([0.3])])[0] == pytest.approx(0.25)
