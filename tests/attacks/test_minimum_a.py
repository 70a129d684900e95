"""The smallest change by planes and by radii: DeepFool, FAB, FMN, DDN."""

import math

import numpy as np
import pytest
import torch
from attacks_networks import Classifier, Pair, filled, seeded
from attacks_problems import gains, middle, rand, scene, weights

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, ScoreProblem
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.minimum import nearest
from rgbdsod.attacks.minimum.ddn import ddn
from rgbdsod.attacks.minimum.deepfool import deepfool
from rgbdsod.attacks.minimum.fab import fab
from rgbdsod.attacks.minimum.fmn import fmn
from rgbdsod.attacks.minimum.inward import inward
from rgbdsod.attacks.minimum.planes import plane_step
from rgbdsod.attacks.projections import l1_box
from rgbdsod.attacks.space import Space
from rgbdsod.errors import UsageError

WIDE = {"linf": 1.0, "l2": math.inf, "l1": math.inf, "l0": math.inf}
DUAL = {"linf": 1, "l2": 2, "l1": math.inf}
PAIRS = [
    *((deepfool, norm) for norm in ("linf", "l2")),
    *((fab, norm) for norm in ("linf", "l2", "l1")),
    *((fmn, norm) for norm in ("linf", "l2", "l1", "l0")),
    (ddn, "l2"),
]
EVERY = pytest.mark.parametrize(("attack", "norm"), PAIRS, ids=lambda part: getattr(part, "__name__", part))


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "attacks.npz") as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


@pytest.fixture(scope="module")
def images(golden):
    return {"image": golden["cls_x"].double()}


@pytest.fixture(scope="module")
def classes(shared, golden):
    return ClassProblem(filled(Classifier(), shared), golden["cls_y"])


def wide(norm: str, *names: str, **settings) -> dict[str, Budget]:
    return {name: Budget(norm, WIDE[norm], **settings) for name in names}


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_step_onto_a_plane(norm, dtype, golden):
    points, slope, plane = (golden[f"plane_{name}"].to(dtype) for name in "xwb")
    step = plane_step(
        points, slope, (slope * points).sum(1) - plane, torch.zeros_like(points), torch.ones_like(points), norm
    )
    assert (step - golden[f"plane_step_{norm}"]).abs().max() < 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_step_to_a_plane_out_of_reach_ends_in_the_corner(norm):
    points, slope = rand(0, 3, 8), rand(1, 3, 8) - 0.5
    none, one = torch.zeros_like(points), torch.ones_like(points)
    step = plane_step(points, slope, torch.tensor([99.0, -99.0, 0.0]), none, one, norm)
    corner = torch.where(slope[:2] * torch.tensor([[1.0], [-1.0]]) > 0, 0.0, 1.0)
    assert torch.allclose((points + step)[:2], corner)
    assert not step[2].any()
    assert not plane_step(points, none, torch.ones(3), none, one, norm).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_nearest_change_of_a_length(norm):
    inputs = {"rgb": torch.full((4, 3, 5, 4), 0.5), "depth": torch.full((4, 1, 5, 4), 0.5)}
    with Engine.open(gains(weights()), inputs, wide(norm, "rgb", "depth"), attack="test") as engine:
        space = Space(engine.balls)
    change = rand(3, 4, 80) - 0.5
    radius = {"linf": 0.2, "l2": 1.0, "l1": 3.0, "l0": 7.0}[norm] * torch.tensor([1.0, 2.0, 0.0, 1e6])
    shorter = inward(space, change, radius)
    length = space.length(space.clean + shorter)
    assert torch.allclose(length[:3], torch.minimum(radius, space.length(space.clean + change))[:3], atol=1e-5)
    assert torch.equal(shorter[3], change[3])
    if norm == "l1":
        zero = torch.full_like(change, 0.5)
        assert torch.allclose(shorter, l1_box(zero + change, zero, radius[:, None]) - zero, atol=1e-6)
    if norm == "l0":
        kept = shorter != 0
        assert torch.equal(shorter[kept], change[kept])
        score = space.positions(change.square())
        left = space.positions(shorter.square()).amax(1) - torch.where(
            space.positions(kept.float()) > 0, 0, score
        ).amax(1)
        assert (left[:2] > 0).all()


def oracles(golden, attack, norm):
    kept = [name for name in golden if name.startswith(f"norm_{attack.__name__}") and f"_{norm}_" in name]
    return torch.stack([golden[name].double() for name in kept]).amax(0)


@EVERY
def test_distances_of_other_packages(attack, norm, classes, images, golden):
    settings = {"unit": "value"} if norm == "l0" else {}
    steps = {deepfool: 50, fab: 40}.get(attack, 100)
    result = attack(classes, images, wide(norm, "image", **settings), steps=steps)
    worst = oracles(golden, attack, norm)
    assert result.fooled.all()
    assert (result.distance <= (worst + 2 if norm == "l0" else 1.05 * worst)).all()
    if attack is deepfool:
        assert (result.distance >= 0.97 * worst).all()
    if attack is fab or norm == "l1":
        assert (result.distance <= {"l1": 1.1}.get(norm, 1.02) * golden[f"bestnorm_{norm}"]).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_ways_out_that_were_left_out_do_not_matter(norm, classes, images, monkeypatch):
    few = deepfool(classes, images, wide(norm, "image"))
    monkeypatch.setattr(nearest, "_STEEPER", math.inf)
    all_ = deepfool(classes, images, wide(norm, "image"))
    assert torch.allclose(few.distance, all_.distance)
    assert (few.backward.sum() < 0.6 * all_.backward.sum()).all()


SCALES = {"rgb": 0.25, "depth": 1.0}
RADII = {"linf": 1.0, "l2": 40.0, "l1": 400.0}
ABOVE = {deepfool: 1.021, fab: 1.001, fmn: 1.01, ddn: 1.01}


@pytest.mark.parametrize(("attack", "norm"), [pair for pair in PAIRS if pair[1] != "l0"])
@pytest.mark.parametrize("scaled", [False, True], ids=["alike", "by radius"])
def test_nearest_of_a_linear_problem(attack, norm, scaled):
    """The distance is the threshold over the dual norm of the weights, each in units of its input's radius."""
    w, inputs = weights(3), middle(3)
    threshold = torch.tensor([0.05, 0.1, 0.2], dtype=torch.float64)
    scales = SCALES if scaled else dict.fromkeys(SCALES, 1.0)
    threat = {name: Budget(norm, scales[name] * RADII[norm]) for name in inputs}
    result = attack(gains(w, threshold), inputs, threat)
    flat = torch.cat([w[name].flatten(1) * scales[name] for name in inputs], 1)
    best = threshold / torch.linalg.vector_norm(flat, DUAL[norm], dim=1)
    assert result.fooled.all()
    assert (result.distance >= best - 1e-9).all()
    assert (result.distance <= ABOVE[attack] * best + 2e-5).all()
    audit(result.inputs, inputs, threat)


def test_fewest_values_of_a_linear_problem():
    w, inputs = weights(3), middle(3)
    result = fmn(gains(w, 1.2), inputs, wide("l0", "rgb", "depth", unit="value"))
    heaviest = torch.cat([value.abs().flatten(1) for value in w.values()], 1).sort(1, descending=True).values
    best = (0.5 * heaviest.cumsum(1) <= 1.2).sum(1) + 1
    assert (result.distance >= best).all()
    assert (result.distance <= best + 1).all()


@pytest.mark.parametrize("attack", [fab, fmn, ddn])
def test_nearest_of_a_quadratic_problem(attack):
    """The way out of a sphere is straight away from its middle."""
    inputs = {"image": torch.tensor([[[[0.5, 0.53]]], [[[0.4, 0.5]]]], dtype=torch.float64)}
    sphere = ScoreProblem(lambda x: (x["image"] - 0.5).square().flatten(1).sum(1), threshold=0.09, inputs=("image",))
    result = attack(sphere, inputs, wide("l2", "image"))
    assert torch.allclose(result.distance, torch.tensor([0.27, 0.2], dtype=torch.float64), rtol=0.025)
    assert (result.distance >= torch.tensor([0.27, 0.2]) - 1e-9).all()


@EVERY
@pytest.mark.parametrize("targeted", [False, True])
def test_classes(attack, norm, targeted):
    inputs, _ = scene()
    network = seeded(Pair())
    scores = network(inputs)
    labels = scores.argsort(1)[:, 1] if targeted else scores.argmax(1)
    problem = ClassProblem(network, labels, targeted=targeted, inputs=("rgb", "depth"))
    result = attack(problem, inputs, wide(norm, "rgb", "depth"))
    found = network(result.inputs).argmax(1)
    assert torch.equal(found == labels, torch.full((4,), targeted))
    assert result.fooled.all()
    audit(result.inputs, inputs, wide(norm, "rgb", "depth"))


RULES = [
    {"success": "iou<0.5"},
    {"success": "flipped>=0.99"},
    {"goal": "hide"},
    {"goal": "paint", "target": scene()[1].roll(4, -1)},
]


@EVERY
@pytest.mark.parametrize("settings", RULES, ids=["leave", "flip", "hide", "paint"])
def test_maps(attack, norm, settings):
    problem, inputs = simple(**settings)
    threat = wide(norm, "rgb", "depth")
    result = attack(problem, inputs, threat)
    audit(result.inputs, inputs, threat)
    assert result.fooled.all()
    assert torch.equal(problem.fooled(problem.forward(result.inputs)), result.fooled)
    assert ((result.distance > 0) & torch.isfinite(result.distance)).all()


def simple(**settings) -> tuple[MapProblem, dict[str, torch.Tensor]]:
    """Logits that each follow the values of one place, right at the clean inputs."""
    masks = scene()[1]
    inputs = {"rgb": 0.4 + 0.2 * masks.expand(-1, 3, -1, -1).contiguous(), "depth": 0.45 + 0.2 * masks}
    noise = {name: 0.2 * (rand(at, *value.shape) - 0.5) for at, (name, value) in enumerate(inputs.items())}
    inputs = {name: value + noise[name] for name, value in inputs.items()}

    def logits(x):
        return 8 * (x["rgb"].mean(1, keepdim=True) + x["depth"] - 1.05)

    return MapProblem(logits, masks, inputs=("rgb", "depth"), **settings), inputs


@EVERY
def test_fooled_already_and_never(attack, norm):
    """The first sample is fooled as it is; the second needs more than its radius; both come back clean."""
    w, inputs = weights(3), middle(3)
    problem = gains(w, torch.tensor([-0.1, 50.0, 0.1], dtype=torch.float64))
    radius = {"linf": 0.2, "l2": 0.8, "l1": 1.6, "l0": 9}[norm]
    result = attack(problem, inputs, {name: Budget(norm, radius) for name in inputs})
    assert result.fooled.tolist() == [True, False, True]
    assert result.distance[0] == 0
    assert result.distance[1] == torch.inf
    for name, value in inputs.items():
        assert torch.equal(result.inputs[name][:2], value[:2])
    assert result.forward[0] < result.forward[1] / 2  # it leaves at once


def test_deepfool_spends_what_it_says():
    """A linear problem takes one step: a look at each end, the backward pass between them, and the verdict."""
    result = deepfool(gains(weights(3), 0.1), middle(3), wide("l2", "rgb", "depth"))
    assert result.forward.tolist() == [3, 3, 3]
    assert result.backward.tolist() == [1, 1, 1]


def test_fab_runs_to_each_rival(classes, images):
    threat = wide("l2", "image")
    all_ = fab(classes, images, threat, steps=10, rivals=99)
    assert all_.backward.tolist() == [90] * 8  # there are nine other classes
    one = fab(classes, images, threat, steps=10, rivals=1)
    assert one.backward.tolist() == [10] * 8
    assert (all_.distance <= one.distance + 1e-9).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_fab_from_other_starts(norm):
    """On a plateau no plane tells the way; random points beside it do."""

    def beyond(x):
        return ((x["image"] - 0.5).abs() - 0.1).clamp_min(0).flatten(1).sum(1)

    inputs = {"image": torch.full((2, 1, 4, 4), 0.5)}
    problem = ScoreProblem(beyond, threshold=0.05, inputs=("image",))
    once, thrice = (fab(problem, inputs, wide(norm, "image"), steps=20, restarts=count) for count in (1, 3))
    assert not once.fooled.any()
    assert thrice.fooled.all()
    assert (thrice.backward == 60).all()
    threat = wide(norm, "rgb", "depth")
    far = fab(gains(weights(2), 50.0), middle(2), threat, steps=3, restarts=2)
    assert not far.fooled.any()


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (deepfool, {"steps": 0}, "--steps 0 is too few; pass 1 or more"),
        (deepfool, {"exits": 0}, "--exits 0 is too few; pass 1 or more"),
        (fab, {"rivals": 0}, "--rivals 0 is too few; pass 1 or more"),
        (fab, {"restarts": -1}, "--restarts -1 is too few; pass 1 or more"),
        (fmn, {"steps": 0}, "--steps 0 is too few; pass 1 or more"),
        (fmn, {"step_size": 0.0}, "--step-size 0: pass a number above 0"),
        (fmn, {"decay": 1.0}, "--decay 1: pass a number above 0 and below 1"),
        (ddn, {"decay": 0.0}, "--decay 0: pass a number above 0 and below 1"),
        (ddn, {"start_radius": -1.0}, "--start-radius -1: pass a number above 0"),
        (deepfool, {"overshoot": -0.1}, "--overshoot -0.1: pass 0 or more"),
        (fab, {"overshoot": float("nan")}, "--overshoot nan: pass 0 or more"),
    ],
)
def test_settings_out_of_range(attack, settings, text):
    with pytest.raises(UsageError, match=f"^{text}$"):
        attack(gains(weights()), middle(), wide("l2", "rgb"), **settings)
