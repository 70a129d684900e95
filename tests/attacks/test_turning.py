"""Which pixels are the easiest: the same as by sorting."""

import pytest
import torch
from attacks_problems import rand

from rgbdsod.attacks.turning import easiest, turning_point


def by_sorting(margin, weight, need):
    """The same, one sample and one pixel after the other."""
    chosen = torch.zeros_like(weight)
    for row in range(len(margin)):
        total = 0.0
        for at in (margin[row] / weight[row].clamp_min(1e-12)).argsort().tolist():
            if total >= need[row] or not weight[row, at]:
                continue
            chosen[row, at], total = weight[row, at], total + float(weight[row, at])
    return chosen / chosen.sum(1, keepdim=True).clamp_min(1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("light", [1.0, 0.3])
def test_as_by_sorting(seed, light):
    margin = 20 * (rand(seed, 6, 300, dtype=torch.float64) - rand(seed + 50, 6, 1, dtype=torch.float64))
    weight = torch.where(rand(seed + 100, 6, 300) < 0.4, 1.0, light).double() * (rand(seed + 150, 6, 300) < 0.9)
    need = weight.sum(1) * rand(seed + 200, 6)
    assert torch.equal(easiest(margin, weight, need), by_sorting(margin, weight, need))


def test_the_two_sides_of_zero_are_told_apart():
    """A pixel just turned and one just not, in the company of a huge one."""
    margin = torch.tensor([[-1e-30, 1e-30, 1e9, 0.0]])
    ones = torch.ones_like(margin)
    assert turning_point(margin, ones, torch.tensor([2.0])).item() <= 0
    assert turning_point(margin, ones, torch.tensor([3.0])).item() > 0


@pytest.mark.parametrize(("need", "value"), [(0.0, 0.0), (4.0, 2.0), (99.0, 2.0)])
def test_nothing_and_everything(need, value):
    margin = torch.tensor([[1.0, 2.0, 3.0, 2.0, -7.0]])
    weight = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.0]])
    assert turning_point(margin, weight, torch.tensor([need])).item() == pytest.approx(value)


def test_equal_pixels_are_taken_together():
    margin = torch.full((1, 5), 2.0)
    assert torch.equal(easiest(margin, torch.ones(1, 5), torch.tensor([3.0])), torch.full((1, 5), 0.2))


def test_broken_models_are_for_others_to_find():
    margin = torch.tensor([[1.0, torch.nan, torch.inf, -torch.inf]])
    assert turning_point(margin, torch.ones(1, 4), torch.tensor([3.0])).isnan()
