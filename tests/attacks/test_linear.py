"""A linear model of two inputs: the largest gain of each norm is known, and every attack must reach its share of it."""

import pytest
import torch
from attacks_problems import SHAPES, gains, middle, weights
from attacks_registry import budgets, case

from rgbdsod.attacks import ATTACKS, Budget, fgsm, ifgsm, mifgsm, noise, pgd, rfgsm
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.rows import NORMS
from rgbdsod.errors import UsageError

SAMPLES = 3
RADII = {
    "linf": {"rgb": 4 / 255, "depth": 16 / 255},
    "l2": {"rgb": 0.5, "depth": 0.2},
    "l1": {"rgb": 2.25, "depth": 0.75},
    "l0": {"rgb": 4, "depth": 7},
}


def optimum(norm: str, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """The largest gain within the budgets, around inputs of 0.5."""
    total = torch.zeros(SAMPLES, dtype=torch.float64)
    for name, weight in w.items():
        eps, flat = RADII[norm][name], weight.abs().flatten(1)
        if norm == "linf":
            total += eps * flat.sum(1)
        elif norm == "l2":
            total += eps * flat.square().sum(1).sqrt()
        elif norm == "l1":  # half a unit each for the heaviest weights, what is left for the next
            room = (eps - 0.5 * torch.arange(flat.shape[1], dtype=torch.float64)).clamp(0, 0.5)
            total += (flat.sort(descending=True).values * room).sum(1)
        else:
            total += 0.5 * weight.abs().sum(1).flatten(1).topk(eps).values.sum(1)
    return total


def threat(norm: str, names=tuple(SHAPES), **settings) -> dict[str, Budget]:
    return {name: Budget(norm, RADII[norm][name], **settings) for name in names}


SHARES = [
    (fgsm, "linf", 1.0, {}),
    (fgsm, "l2", 1.0, {}),
    (ifgsm, "linf", 1.0, {"steps": 20}),
    (ifgsm, "l2", 0.9999, {"steps": 20}),
    (pgd, "linf", 1.0, {}),
    (pgd, "l2", 0.98, {}),
    (pgd, "l2", 0.9999, {"step_size": RADII["l2"]}),
    (pgd, "l1", 0.95, {"steps": 60, "step_size": 0.2}),
    (pgd, "l0", 0.97, {}),
    (mifgsm, "linf", 1.0, {}),
    (mifgsm, "linf", 1.0, {"joint": True}),
    (mifgsm, "l2", 0.9999, {}),
    (rfgsm, "linf", 0.3, {}),
]


@pytest.mark.parametrize(("attack", "norm", "share", "settings"), SHARES)
def test_share_of_the_optimum(attack, norm, share, settings):
    w, inputs = weights(SAMPLES), middle(SAMPLES)
    result = attack(gains(w), inputs, threat(norm), **settings)
    best = optimum(norm, w)
    assert (result.loss <= best + 1e-9).all()
    assert (result.loss >= share * best - 1e-9).all()
    audit(result.inputs, inputs, threat(norm))
    assert torch.allclose(gains(w).forward(result.inputs), result.loss)
    assert torch.equal(result.fooled, result.loss > 0)


def test_one_heavy_weight_takes_a_small_l1_budget():
    w, inputs = weights(SAMPLES), middle(SAMPLES)
    budgets = {name: Budget("l1", 0.4) for name in SHAPES}
    best = sum(0.4 * weight.abs().flatten(1).amax(1) for weight in w.values())
    assert torch.allclose(fgsm(gains(w), inputs, budgets).loss, best)


def test_exact_l2_projection_is_never_worse_near_the_box():
    w, inputs = weights(SAMPLES), {name: torch.full_like(x, 0.9) for name, x in middle(SAMPLES).items()}
    quick, exact = (
        pgd(gains(w), inputs, {name: Budget("l2", 1.5, exact=choice) for name in SHAPES}).loss
        for choice in (False, True)
    )
    assert (exact >= quick - 1e-9).all()
    assert (exact > quick + 1e-3).any()


PAIRS = [(row, norm) for row in ATTACKS if row.outputs == "any" and row.eps is None for norm in row.norms]


@pytest.mark.parametrize(("row", "norm"), PAIRS, ids=lambda part: getattr(part, "name", part))
def test_every_attack_with_every_norm(row, norm):
    """Inside the budget, the attacked input changed, the other bit-identical, and better than doing nothing."""
    w, inputs = weights(SAMPLES, torch.float32), middle(SAMPLES, torch.float32)
    problem, budgets = gains(w), threat(norm, ("depth",))
    result = row.load()(problem, inputs, budgets)
    audit(result.inputs, inputs, budgets)
    assert result.inputs["rgb"] is inputs["rgb"]
    assert (result.inputs["depth"] != inputs["depth"]).flatten(1).any(1).all()
    assert result.inputs["depth"].dtype == torch.float32
    if row.knowledge == "white":
        assert (result.loss > 0).all()


@pytest.mark.parametrize("row", list(ATTACKS), ids=lambda row: row.name)
def test_a_norm_in_which_an_attack_is_not_defined(row):
    problem, inputs = case(row)
    for norm in set(NORMS) - set(row.norms):
        with pytest.raises(UsageError, match=f"takes --norm {', '.join(row.norms)}, not {norm}"):
            row.load()(problem, inputs, {"depth": Budget(norm, 1)})


@pytest.mark.parametrize("row", list(ATTACKS), ids=lambda row: row.name)
def test_masked_places_stay(row):
    problem, inputs = case(row)
    mask = torch.ones(1, 1, 16, 16)
    mask[..., :5, :] = 0
    result = row.load()(problem, inputs, budgets(row, mask=mask))
    audit(result.inputs, inputs, budgets(row, mask=mask))
    for name, value in inputs.items():
        assert torch.equal(result.inputs[name][..., :5, :], value[..., :5, :])


@pytest.mark.parametrize("norm", RADII)
def test_noise_is_weaker_than_pgd(norm):
    w, inputs = weights(SAMPLES), middle(SAMPLES)
    strong = pgd(gains(w), inputs, threat(norm))
    for kind in ("uniform", "sign"):
        weak = noise(gains(w), inputs, threat(norm), kind=kind, draws=20)
        assert (weak.loss < strong.loss).all()
        assert (weak.forward == 20).all()
        assert (weak.backward == 0).all()


def test_joint_beats_each_single_modality():
    w, inputs = weights(SAMPLES), middle(SAMPLES)
    losses = {
        names: pgd(gains(w), inputs, threat("l2", names)).loss for names in (("rgb",), ("depth",), ("rgb", "depth"))
    }
    both = losses.pop(("rgb", "depth"))
    assert all((both > loss).all() for loss in losses.values())


def test_radius_map():
    """A radius per pixel: each value moves by its own."""
    w, inputs = weights(SAMPLES), middle(SAMPLES)
    radius = torch.linspace(0, 0.2, 30, dtype=torch.float64).view(1, 1, 6, 5)
    result = pgd(gains(w), inputs, {"depth": Budget(eps=radius)})
    assert torch.allclose(result.loss, (radius * w["depth"].abs()).flatten(1).sum(1))


def test_radius_per_sample():
    w, inputs = weights(SAMPLES), middle(SAMPLES)
    radius = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64).view(-1, 1, 1, 1)
    result = pgd(gains(w), inputs, {"rgb": Budget("l2", radius)}, step_size=lambda ball: ball.reach)
    expected = radius.flatten() * w["rgb"].flatten(1).norm(dim=1)
    assert torch.allclose(result.loss, expected, rtol=1e-4)
