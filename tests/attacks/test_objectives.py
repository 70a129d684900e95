"""Objectives against their definitions, written out pixel by pixel in NumPy or known in closed form."""

import math

import numpy as np
import pytest
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import rand, scene

from rgbdsod.attacks import Budget, MapProblem, ScoreProblem, pgd
from rgbdsod.attacks.pixels import Pixels, Reference
from rgbdsod.attacks.success import parse_success
from rgbdsod.attacks.table import CLASS_OBJECTIVES, MAP_OBJECTIVES

EVERY = pytest.mark.parametrize("row", list(MAP_OBJECTIVES), ids=lambda row: row.name)


def pixels(samples: int = 3, **settings) -> Pixels:
    logits = 8 * rand(3, samples, 1, 9, 7, dtype=torch.float64) - 4
    reference = torch.zeros(samples, 1, 9, 7, dtype=torch.float64)
    reference[:, :, 2:6, 1:5] = 1
    return Pixels(logits, Reference.of(reference), **settings)


def slow(z: np.ndarray, g: np.ndarray, toward: bool, progress: float) -> dict[str, float]:
    """One sample's objectives, from their definitions."""
    p, m = 1 / (1 + np.exp(-z)), (2 * g - 1) * z
    bce, q = np.log1p(np.exp(-m)), 1 / (1 + np.exp(-m))
    left = m <= 0 if toward else m > 0
    cosine = (p * g + (1 - p) * (1 - g)) / np.sqrt(p**2 + (1 - p) ** 2)
    side_0, side_1, phi = z[g == 0], z[g == 1], _agreement(p, g)
    divergence = q * np.log(2 * q / (1 + q)) + (1 - q) * math.log(2) + np.log(2 / (1 + q))
    return {
        "bce": bce.mean(),
        "balanced-bce": (bce[g == 1].mean() + bce[g == 0].mean()) / 2,
        "masked-bce": (bce * left).mean(),
        "segpgd": (np.where(left, 1 - progress / 2, progress / 2) * bce).mean(),
        "cospgd": ((1 - cosine if toward else cosine) * bce).mean(),
        "js": 0.5 * divergence.mean(),
        "margin": -m.mean(),
        "masked-margin": -(m * left).mean(),
        "soft-iou": 1 - ((p * g).sum() + 1) / ((p + g - p * g).sum() + 1),
        "soft-f": 1 - 1.3 * (p * g).sum() / (0.3 * g.sum() + p.sum()),
        "mae": np.abs(p - g).mean(),
        "dlr-threshold": -m.mean() / np.sqrt((z**2).mean()),
        "dlr-rank": -((2 * g - 1) * (z - z.mean())).mean() / z.std(),
        "rank": (side_0.mean() - side_1.mean()) / np.sqrt(side_0.var() + side_1.var()),
        "e-measure": -((1 + phi) ** 2).mean() / 4,
    }


def _agreement(p: np.ndarray, g: np.ndarray) -> np.ndarray:
    """How each pixel's deviation from the mean agrees with the truth's, -1 to 1."""
    off_p, off_g = p - p.mean(), g - g.mean()
    return 2 * off_p * off_g / (off_p**2 + off_g**2)


@pytest.mark.parametrize("toward", [False, True])
@pytest.mark.parametrize("name", [n for n in MAP_OBJECTIVES.names() if n not in ("structure", "s-measure")])
def test_definition(name, toward):
    view = pixels(toward=toward, progress=0.6)
    found = MAP_OBJECTIVES[name].load()(view)
    for at in range(3):
        z, g = view.logits[at].numpy(), view.reference.soft[at].numpy()
        assert found[at].item() == pytest.approx(slow(z, g, toward, 0.6)[name], abs=1e-10)


def test_structure_is_the_s_measure(shared):
    """Against the S-measure of unstretched maps, soft values and all."""
    golden = np.load(shared / "golden" / "metrics.npz")
    structure = MAP_OBJECTIVES["structure"].load()
    compared = 0
    for at, name in enumerate(golden["names"]):
        if str(name) in ("last_row_object", "const_7_empty_quadrants") or golden["raw_sm"][at] <= 0:
            continue
        prediction = torch.from_numpy(golden[f"pred_{at:02d}"] / 255.0)[None, None]
        truth = torch.from_numpy((golden[f"gt_{at:02d}"] > 128) * 1.0)[None, None]
        found = -structure(Pixels(torch.logit(prediction, eps=1e-12), Reference.of(truth))).item()
        assert found == pytest.approx(golden["raw_sm"][at], abs=2e-5), name
        compared += 1
    assert compared >= 14


@EVERY
def test_finite_for_empty_full_and_saturated_maps(row):
    """Loss and gradient stay finite where an image has no object, nothing else, or logits of 200."""
    truth = torch.zeros(4, 1, 6, 6)
    truth[1], truth[2, :, :3], truth[3, :, 0, 0] = 1, 1, 1
    for scale in (0.0, 1.0, 200.0):
        logits = (scale * (2 * rand(5, 4, 1, 6, 6) - 1)).requires_grad_()
        loss = row.load()(Pixels(logits, Reference.of(truth), progress=0.5))
        assert loss.shape == (4,)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(torch.autograd.grad(loss.sum(), logits)[0]).all()


@EVERY
def test_every_objective_does_damage(row):
    inputs, masks = scene()
    problem = MapProblem(seeded(Saliency()), masks, objective=row.name)
    result = pgd(problem, inputs, {"rgb": Budget(eps=0.1), "depth": Budget(eps=0.1)}, steps=10)
    assert result.loss.mean() > result.start_loss.mean()
    clean, after = (problem.forward(x) for x in (inputs, result.inputs))
    error = MAP_OBJECTIVES["mae"].load()
    assert error(Pixels(after, Reference.of(masks))).mean() > error(Pixels(clean, Reference.of(masks))).mean()


@EVERY
def test_every_objective_hides(row):
    inputs, masks = scene()
    problem = MapProblem(seeded(Saliency()), masks, objective=row.name, goal="hide")
    result = pgd(problem, inputs, {"rgb": Budget(eps=0.1), "depth": Budget(eps=0.1)}, steps=10)
    clean, after = (problem.forward(x).sigmoid().mean() for x in (inputs, result.inputs))
    assert after < clean


def test_paint_reaches_another_map():
    inputs, masks = scene()
    target = masks.flip(-1, -2)
    problem = MapProblem(seeded(Saliency()), masks, goal="paint", target=target)
    result = pgd(problem, inputs, {"rgb": Budget(eps=0.5), "depth": Budget(eps=0.5)}, steps=40)
    start = -MAP_OBJECTIVES["bce"].load()(Pixels(problem.forward(inputs), Reference.of(target)))
    assert (result.loss > start).all()
    wanted = parse_success("iou>=0.5")(Pixels(problem.forward(result.inputs), Reference.of(target)))
    assert torch.equal(result.fooled, wanted)


def test_js_slope_vanishes_on_lost_pixels():
    margin = torch.linspace(-30, 30, 121, dtype=torch.float64).view(1, 1, 1, -1).requires_grad_()
    view = Pixels(margin, Reference.of(torch.ones_like(margin)))
    loss = MAP_OBJECTIVES["js"].load()(view)
    slope = torch.autograd.grad(loss.sum() * margin.numel(), margin)[0]
    q = margin.detach().sigmoid()
    expected = 0.5 * q * (1 - q) * (torch.nn.functional.logsigmoid(margin.detach()) - q.log1p())
    assert torch.allclose(slope, expected, atol=1e-12)
    assert 0 <= loss.item() <= math.log(2)
    assert slope[..., 0].abs() < 1e-10


def test_cosine_weight_is_constant_in_differentiation():
    view = pixels()
    logits = view.logits.clone().requires_grad_()
    loss = MAP_OBJECTIVES["cospgd"].load()(Pixels(logits, view.reference))
    slope = torch.autograd.grad(loss.sum(), logits)[0] * 63
    right, wrong = view.margin.sigmoid(), (-view.margin).sigmoid()
    expected = -view.reference.sign * wrong * right / (right**2 + wrong**2).sqrt()
    assert torch.allclose(slope, expected)


def test_weights_that_move_are_ranked_by_bce():
    """SegPGD's own values of two steps are not comparable, and CosPGD's fall as pixels turn."""
    inputs, masks = scene()
    network = seeded(Saliency())
    plain = MapProblem(network, masks)
    for name in ("segpgd", "cospgd", "masked-bce"):
        result = pgd(MapProblem(network, masks, objective=name), inputs, {"rgb": Budget(eps=0.1)}, steps=8)
        assert torch.allclose(result.loss, plain.loss(plain.forward(result.inputs)), rtol=1e-5)
        hidden = MapProblem(network, masks, objective=name, goal="hide")
        assert torch.allclose(
            hidden.track(plain.forward(inputs)), -torch.nn.functional.softplus(plain.forward(inputs)).mean((1, 2, 3))
        )


def test_flatten_lowers_the_contrast_of_what_is_hidden():
    inputs, masks = scene()
    network, threat = seeded(Saliency()), {"rgb": Budget(eps=0.1), "depth": Budget(eps=0.1)}
    spread = []
    for flatten in (0.0, 5.0):
        problem = MapProblem(network, masks, goal="hide", flatten=flatten)
        spread.append(problem.forward(pgd(problem, inputs, threat).inputs).flatten(1).std(1))
    assert (spread[1] < spread[0]).all()


@EVERY
def test_invalid_pixels_do_not_count(row):
    """What the model shows where nothing was measured changes neither loss nor success."""
    view = pixels()
    valid = torch.ones_like(view.logits)
    valid[:, :, :, :3] = 0
    noisy = torch.where(valid > 0, view.logits, rand(11, 3, 1, 9, 7).double() - 0.5)
    objective, rule = row.load(), parse_success("iou<0.4")
    first, second = (Pixels(z, view.reference, valid) for z in (view.logits, noisy))
    assert torch.allclose(objective(first), objective(second))
    assert torch.equal(rule(first), rule(second))
    assert not torch.allclose(objective(first), objective(view))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("iou<0.5", [True, False, True]),
        ("iou < 0.25", [False, False, True]),
        ("flipped>=0.5", [True, False, False]),
        ("flipped > 0.5", [False, False, False]),
        ("mae<=0.001", [False, True, False]),
    ],
)
def test_success_rules(rule, expected):
    """Half of the object found, all of it, none (and nothing else)."""
    truth = torch.zeros(3, 1, 2, 2)
    truth[:, :, 0] = 1
    truth[2, :, 0, 0] = 0
    logits = torch.full((3, 1, 2, 2), -9.0)
    logits[0, :, :, 0] = 9
    logits[1, :, 0] = 9
    assert parse_success(rule)(Pixels(logits, Reference.of(truth))).tolist() == expected


def test_success_on_a_target_map():
    inputs, _ = scene()
    network = seeded(Saliency())
    shown = (network(inputs) > 0).float()
    problem = MapProblem(network, 1 - shown, goal="paint", target=shown)
    assert problem.fooled(problem.forward(inputs)).all()
    assert MapProblem(network, shown, success="flipped<0.01").fooled(network(inputs)).all()


def test_margins_of_maps_and_scores():
    inputs, masks = scene()
    network = seeded(Saliency())
    logits = network(inputs)
    margins = MapProblem(network, masks).margins(logits)
    assert torch.equal(margins > 0, ((logits > 0) == (masks > 0.5)).flatten(1) & (logits != 0).flatten(1))
    hiding = MapProblem(network, masks, goal="hide").margins(logits)
    assert torch.equal(hiding > 0, (logits > 0).flatten(1))
    score = ScoreProblem(lambda x: x["rgb"].sum((1, 2, 3)), threshold=1.0)
    assert score.margins(torch.tensor([0.5, 2.0])).tolist() == [[0.5], [-1.0]]


def test_tables_name_what_exists():
    for row in [*MAP_OBJECTIVES, *CLASS_OBJECTIVES]:
        assert callable(row.load())
        assert row.summary
        if row.track:
            assert row.track in MAP_OBJECTIVES
