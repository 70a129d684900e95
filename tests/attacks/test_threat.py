"""Masks, levels, random streams, and threat models from what a user types."""

import pytest
import torch
from attacks_problems import rand, scene, toy

from rgbdsod.attacks import Budget, noise, pgd
from rgbdsod.attacks.measure import audit, measured
from rgbdsod.attacks.norms import ball, length
from rgbdsod.attacks.projections import l0_box, l1_box, l2_box, l2_clip, largest
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.threat import threat

NORMS = {"linf": 16 / 255, "l2": 1.0, "l1": 6.0, "l0": 20}
EVERY = pytest.mark.parametrize("norm", NORMS)


@EVERY
@pytest.mark.parametrize("attack", [pgd, noise])
def test_masked_values_keep_their_bits(attack, norm):
    """Holes of the depth map: the attack goes round them, and uses its budget elsewhere."""
    problem, inputs = toy()
    mask = (rand(4, 4, 1, 16, 16) > 0.4).float()
    budget = Budget(norm, NORMS[norm], mask=mask)
    result = attack(problem, inputs, {"depth": budget})
    hole = mask == 0
    assert torch.equal(result.inputs["depth"][hole], inputs["depth"][hole])
    assert (result.inputs["depth"] != inputs["depth"]).flatten(1).any(1).all()
    audit(result.inputs, inputs, {"depth": budget})


def test_mask_of_one_channel_covers_all():
    problem, inputs = toy()
    mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., 8:] = True
    result = pgd(problem, inputs, {"rgb": Budget("l0", 9, mask=mask)})
    changed = (result.inputs["rgb"] != inputs["rgb"]).any(1)
    assert not changed[..., :8].any()
    assert (changed.flatten(1).sum(1) == 9).all()


@pytest.mark.parametrize("project", [l2_clip, l2_box, l1_box])
def test_projections_are_feasible_and_leave_inner_points(project):
    clean, radius = rand(1, 6, 3, 5, 5, dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64)
    far = clean + 2 * (rand(2, 6, 3, 5, 5, dtype=torch.float64) - 0.5)
    budget = Budget("l1" if project is l1_box else "l2", 0.8)
    near = project(far, clean, radius)
    assert (length(near - clean, budget) <= 0.8 + 1e-9).all()
    assert near.min() >= 0
    assert near.max() <= 1
    assert torch.allclose(project(near, clean, radius), near, atol=1e-9)
    inner = (clean + 1e-3 * (far - clean)).clamp(0, 1)
    assert torch.allclose(project(inner, clean, radius), inner, atol=1e-12)


@pytest.mark.parametrize(("project", "norm"), [(l2_box, "l2"), (l1_box, "l1")])
def test_exact_projections_are_nearest(project, norm):
    """No feasible point among many nearby ones is closer, and the quick L2 rule is not."""
    clean, radius = rand(1, 1, 2, 3, 3, dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)
    far = clean + 1.5 * (rand(2, 1, 2, 3, 3, dtype=torch.float64) - 0.4)
    near = project(far, clean, radius)
    best = (near - far).norm()
    for seed in range(300):
        other = project(near + 0.05 * (rand(seed, 1, 2, 3, 3, dtype=torch.float64) - 0.5), clean, radius)
        assert (other - far).norm() >= best - 1e-7
    assert (l2_clip(far, clean, radius) - far).norm() >= best or norm == "l1"


def test_l0_projection_keeps_what_gains_most():
    """The way out of the box gains nothing: 0.4 of which 0.1 is possible gives way to 0.3 that is."""
    clean = torch.tensor([0.9, 0.5, 0.5, 0.5]).view(1, 1, 2, 2)
    point = torch.tensor([1.3, 0.2, 0.4, 0.7]).view(1, 1, 2, 2)
    one = l0_box(point, clean, torch.tensor(1.0), most=1)
    two = l0_box(point, clean, torch.tensor(2.0), most=2)
    assert one.flatten().tolist() == pytest.approx([0.9, 0.2, 0.5, 0.5])
    assert two.flatten().tolist() == pytest.approx([1.0, 0.2, 0.5, 0.5])


def test_l0_single_values():
    problem, inputs = toy()
    budget = Budget("l0", 5, unit="value")
    result = pgd(problem, inputs, {"rgb": budget})
    assert ((result.inputs["rgb"] != inputs["rgb"]).flatten(1).sum(1) == 5).all()
    assert measured(result.inputs, inputs, {"rgb": budget})["rgb"].tolist() == [5.0] * 4


def test_largest_takes_its_number_per_sample():
    score = torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    assert largest(score, torch.tensor([2, 1]), 2).sum(1).tolist() == [2, 1]
    assert largest(score, 0, 0).sum() == 0
    assert largest(score, 9, 9).all()


@EVERY
def test_random_points_belong_to_the_sample(norm):
    inputs, _ = scene()
    limits = ball(inputs["rgb"], Budget(norm, NORMS[norm]))
    whole = limits.start(Streams(0, ["a", "b", "c", "d"], "pgd", 0, "rgb"))
    alone = ball(inputs["rgb"][2:3], Budget(norm, NORMS[norm])).start(Streams(0, ["c"], "pgd", 0, "rgb"))
    assert torch.allclose(whole[2:3], alone, atol=1e-6)
    for other in (
        Streams(1, ["c"], "pgd", 0, "rgb"),
        Streams(0, ["c"], "pgd", 1, "rgb"),
        Streams(0, ["c"], "rfgsm", 0, "rgb"),
    ):
        changed = ball(inputs["rgb"][2:3], Budget(norm, NORMS[norm])).start(other)
        assert (changed != alone).any()
    assert (length(whole - inputs["rgb"], Budget(norm, NORMS[norm])) <= NORMS[norm] * (1 + 1e-5)).all()


def test_streams_are_the_same_on_every_machine():
    drawn = Streams(0, ["0012"], "pgd", 0, "rgb").uniform(torch.empty(1, 3))
    assert drawn[0].tolist() == pytest.approx([0.3612560033798218, 0.8183613419532776, 0.28807878494262695], abs=0)


def test_uniform_in_the_l2_ball():
    """The radius of a uniform point of a d-dimensional ball is U^(1/d): its mean is d / (d + 1)."""
    clean = torch.full((4000, 1, 1, 2), 0.5)
    limits = ball(clean, Budget("l2", 0.3))
    points = limits.start(Streams(0, [str(at) for at in range(4000)]))
    radii = (points - clean).flatten(1).norm(dim=1) / 0.3
    assert radii.mean().item() == pytest.approx(2 / 3, abs=0.02)
    assert (points - clean).mean().abs() < 0.01


def test_global_random_state_is_neither_read_nor_changed():
    problem, inputs = toy()
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        results.append(pgd(problem, inputs, threat(), steps=2, seed=5).inputs["rgb"])
        assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(*results)
    assert not torch.equal(results[0], pgd(problem, inputs, threat(), steps=2, seed=6).inputs["rgb"])


@pytest.mark.parametrize("levels", [255, 65535])
@EVERY
def test_rounded_results_are_inside_and_remeasured(norm, levels):
    problem, inputs = toy()
    clean = {name: (value * levels).round() / levels for name, value in inputs.items()}
    budgets = {name: Budget(norm, NORMS[norm], levels=levels) for name in inputs}
    result = pgd(problem, clean, budgets, steps=6)
    for value in result.inputs.values():
        codes = value.double() * levels
        assert (codes - codes.round()).abs().max() < 0.01
        assert torch.equal(value, (codes.round() / levels).float())
    audit(result.inputs, clean, budgets)
    assert torch.allclose(result.loss, problem.loss(problem.forward(result.inputs)), rtol=1e-5)
    free = pgd(problem, clean, {name: Budget(norm, NORMS[norm]) for name in inputs}, steps=6)
    assert (result.forward == free.forward + 1).all()
    assert (result.loss > 0.9 * free.loss).all()


def test_rounding_uses_the_whole_linf_radius():
    clean = torch.arange(256).view(1, 1, 16, 16) / 255
    for sign in (-1, 1):
        moved = (clean + sign * 8 / 255).clamp(0, 1)
        found = quantise(moved, clean, Budget(eps=8 / 255), 255)
        assert torch.equal((found * 255).round(), (torch.arange(256).view(1, 1, 16, 16) + sign * 8.0).clamp(0, 255))


def test_rounding_clips_off_grid_values_into_the_radius():
    clean = rand(8, 1, 1, 30, 30)
    moved = (clean + 0.0145 * (rand(9, 1, 1, 30, 30) - 0.5).sign()).clamp(0, 1)
    found = quantise(moved, clean, Budget(eps=0.0145), 255)
    assert ((found - clean).abs() <= 0.0145 + 1e-6).all()
    codes = found * 255
    assert torch.allclose(codes, codes.round(), atol=1e-4)


@pytest.mark.parametrize(("norm", "eps"), [("l2", 6.6 / 255 * 192**0.5), ("l1", 6.6 / 255 * 192)])
def test_rounding_moves_unimportant_values_back(norm, eps):
    """Rounding up everywhere leaves the ball; the values of least priority give way, and no more than needed."""
    clean = torch.full((2, 3, 8, 8), 100 / 255)
    moved = clean + torch.where(rand(3, 2, 3, 8, 8) > 0.5, 6.6 / 255, -6.6 / 255)
    priority = rand(5, 2, 3, 8, 8)
    found = quantise(moved, clean, Budget(norm, eps), 255, priority)
    size = length(found.double() - clean.double(), Budget(norm, eps))
    assert (size <= eps + 1e-6).all()
    assert (size > 0.97 * eps).all()
    gave_way = (found - (moved * 255).round() / 255).abs() > 1e-6
    for at in range(2):
        assert priority[at][gave_way[at]].max() < priority[at][~gave_way[at]].min()


def test_threat_from_what_a_user_types():
    assert {name: budget.eps for name, budget in threat("both", 0.1).items()} == {"rgb": 0.1, "depth": 0.1}
    assert list(threat("depth")) == ["depth"]
    assert list(threat(eps={"depth": 0.1})) == ["depth"]
    assert list(threat()) == ["rgb", "depth"]
    mixed = threat("both", {"rgb": 2, "depth": 7}, "l0", masks={"depth": torch.ones(1, 1, 2, 2)}, levels={"rgb": 255})
    assert (mixed["rgb"].eps, mixed["depth"].eps) == (2, 7)
    assert (mixed["rgb"].levels, mixed["depth"].levels) == (255, None)
    assert mixed["rgb"].mask is None
    assert mixed["depth"].mask is not None


def test_budget_for_some_samples():
    mask = (rand(1, 3, 1, 2, 2) > 0.5).float()
    budget = Budget(eps=torch.tensor([0.1, 0.2, 0.3]).view(-1, 1, 1, 1), mask=mask, levels=255)
    part = budget.select(torch.tensor([2, 0]))
    assert part.eps.flatten().tolist() == pytest.approx([0.3, 0.1])
    assert torch.equal(part.mask, mask[[2, 0]])
    assert part.levels == 255
    shared_mask = Budget(mask=mask[:1]).select(torch.tensor([1, 1]))
    assert shared_mask.mask.shape == (1, 1, 2, 2)
