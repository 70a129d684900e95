"""The smallest change by penalties, multipliers, curvature and bisection: known optima, other people's norms, masks."""

import math

import pytest
import torch
from attacks_networks import Classifier, Saliency, filled, seeded
from attacks_problems import gains, middle, rand, scene, weights

from rgbdsod.attacks import ATTACKS, Budget, ClassProblem, MapProblem, ScoreProblem
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.minimum.alma import alma
from rgbdsod.attacks.minimum.bisection import bisection
from rgbdsod.attacks.minimum.curvature import Curvature
from rgbdsod.attacks.minimum.cw import cw
from rgbdsod.attacks.minimum.cw_linf import cw_linf
from rgbdsod.attacks.minimum.ead import ead
from rgbdsod.attacks.minimum.hinge import hinge
from rgbdsod.attacks.minimum.lagrangian import penalty, slope
from rgbdsod.attacks.minimum.lbfgs import lbfgs
from rgbdsod.errors import UsageError

QUICK = {
    "cw": (cw, "l2", {"steps": 60, "rounds": 2}),
    "cw squashed": (cw, "l2", {"steps": 60, "rounds": 3, "change_of_variables": True}),
    "hinge": (hinge, "l2", {"steps": 100}),
    "lbfgs": (lbfgs, "l2", {"steps": 20, "rounds": 10}),
    "alma l2": (alma, "l2", {"steps": 100}),
    "alma linf": (alma, "linf", {"steps": 100}),
    "cw-linf": (cw_linf, "linf", {}),
    "ead": (ead, "l1", {"steps": 50, "rounds": 6}),
    "bisection linf": (bisection, "linf", {}),
    "bisection l2": (bisection, "l2", {}),
    "bisection l1": (bisection, "l1", {}),
    "bisection l0": (bisection, "l0", {}),
}
ALL = pytest.mark.parametrize("name", QUICK)
DUAL = {"l2": 2, "linf": 1, "l1": math.inf}
WIDE = {"linf": 1.0, "l2": math.inf, "l1": math.inf, "l0": math.inf}


def run(name, problem, inputs, names=("depth",), radii=None, **settings):
    """An attack with its quick settings; by default with no bound."""
    attack, norm, quick = QUICK[name]
    radii = radii or dict.fromkeys(names, WIDE[norm])
    threat = {key: Budget(norm, radius, **settings) for key, radius in radii.items()}
    result = attack(problem, inputs, threat, **quick)
    audit(result.inputs, inputs, threat)
    assert torch.equal(torch.isfinite(result.distance), result.fooled)
    return result


@pytest.fixture(scope="module")
def classifier(shared):
    return filled(Classifier(), shared)


NORMS = {
    "cw": ("norm_cw_l2_advlib", "norm_cw_l2_foolbox"),
    "hinge": ("norm_cw_l2_advlib", "norm_cw_l2_foolbox"),
    "alma l2": ("norm_alma_l2_advlib",),
    "alma linf": ("bestnorm_linf",),
    "cw-linf": ("bestnorm_linf",),
    "ead": ("norm_ead_l1_foolbox",),
}


@pytest.mark.parametrize("name", NORMS)
def test_as_near_as_other_packages(name, classifier, golden):
    """At most 1.05 times the worst norm of the same attack, or of the best of all where nobody else has it."""
    worst = torch.stack([golden[oracle] for oracle in NORMS[name]]).amax(0)
    result = run(name, ClassProblem(classifier, golden["cls_y"]), {"image": golden["cls_x"].double()}, ("image",))
    assert result.fooled.all()
    assert (result.distance <= 1.05 * worst).all()


@pytest.mark.parametrize(("name", "share"), [("hinge", 1.02), ("alma l2", 1.02), ("alma linf", 1.02), ("cw", 1.02)])
def test_as_near_as_the_best_of_all(name, share, classifier, golden):
    best = golden["bestnorm_linf" if name.endswith("linf") else "bestnorm_l2"]
    result = run(name, ClassProblem(classifier, golden["cls_y"]), {"image": golden["cls_x"].double()}, ("image",))
    assert (result.distance <= share * best).all()


@ALL
def test_a_target_class_is_reached(name, classifier, golden):
    problem = ClassProblem(classifier, golden["cls_target"], targeted=True)
    plain = ClassProblem(classifier, golden["cls_y"])
    images = {"image": golden["cls_x"][:3].double()}
    index = torch.arange(3)
    result = run(name, problem.select(index), images, ("image",))
    assert result.fooled.all()
    assert torch.equal(classifier(result.inputs).argmax(1), golden["cls_target"][:3])
    assert not plain.select(index).fooled(classifier(images)).any()


@ALL
def test_linear_model(name):
    """The distance of a plane is the threshold over the dual norm of the weights."""
    w, inputs = weights(3), middle(3)
    threshold = torch.tensor([0.02, 0.05, 0.2], dtype=torch.float64)
    result = run(name, gains(w, threshold), inputs)
    flat, norm = w["depth"].flatten(1), QUICK[name][1]
    if norm == "l0":
        best = 1 + (0.5 * flat.abs().sort(1, descending=True).values.cumsum(1) <= threshold[:, None]).sum(1)
        assert (result.distance <= best + 1).all()
    else:
        best = threshold / flat.norm(DUAL[norm], dim=1)
        assert (result.distance >= best - 1e-9).all()
        assert (result.distance <= 1.05 * best).all()
    assert result.inputs["rgb"] is inputs["rgb"]


@pytest.mark.parametrize("name", ["cw", "hinge", "alma l2", "bisection l2"])
def test_sphere(name):
    """Leaving a sphere of radius r around a point at distance d of its centre takes r - d, in the plain direction."""
    centre = 0.5 + 0.05 * (rand(1, 2, 1, 6, 6, dtype=torch.float64) - 0.5)
    radius = torch.tensor([0.4, 0.6], dtype=torch.float64)
    inputs = {"depth": torch.full((2, 1, 6, 6), 0.5, dtype=torch.float64)}

    class Ball(ScoreProblem):
        def select(self, index):
            return Ball(lambda x: score(x, index), inputs=("depth",))

    def score(x, index=None):
        rows = slice(None) if index is None else index
        return (x["depth"] - centre[rows]).flatten(1).square().sum(1) - radius[rows].square()

    problem = Ball(score, inputs=("depth",))
    best = radius - (inputs["depth"] - centre).flatten(1).norm(dim=1)
    threat = {"depth": Budget("l2", math.inf)}
    attack, _, quick = QUICK[name]
    for index in ([0], [1]):
        rows = torch.tensor(index)
        found = attack(problem.select(rows), {"depth": inputs["depth"][rows]}, threat, **quick).distance
        assert (found >= best[rows] - 1e-9).all()
        assert (found <= 1.07 * best[rows]).all()


@ALL
def test_two_inputs_share_by_their_radii(name):
    """Depth may move four times as far as RGB: a joint change is measured in the larger radius."""
    w, inputs = weights(2), middle(2)
    norm = QUICK[name][1]
    radii = {"linf": (0.1, 0.4), "l2": (1.0, 4.0), "l1": (5.0, 20.0), "l0": (20, 20)}[norm]
    result = run(name, gains(w, 0.1), inputs, radii=dict(zip(("rgb", "depth"), radii, strict=True)))
    assert result.fooled.all()
    if norm != "l0":
        joint = torch.cat([w["rgb"].flatten(1) / 4, w["depth"].flatten(1)], 1)
        best = 0.1 / joint.norm(DUAL[norm], dim=1)
        assert (result.distance >= best - 1e-9).all()
        assert (result.distance <= 1.08 * best).all()


@ALL
def test_mask_radius_and_who_is_fooled_already(name):
    """Masked values stay; a change beyond the radius is none; who is fooled from the start is done at distance 0."""
    w, inputs = weights(3), middle(3)
    norm = QUICK[name][1]
    mask = torch.zeros(1, 1, 6, 5)
    mask[..., 1:5, 1:] = 1
    threshold = torch.tensor([-1.0, 0.02, 9.0], dtype=torch.float64)
    radius = {"linf": 0.2, "l2": 1.0, "l1": 5.0, "l0": 16}[norm]
    result = run(name, gains(w, threshold), inputs, radii={"depth": radius}, mask=mask)
    assert result.fooled.tolist() == [True, True, False]
    assert result.distance[0] == 0
    assert torch.equal(result.inputs["depth"][[0, 2]], inputs["depth"][[0, 2]])
    outside = (mask == 0).expand_as(inputs["depth"])
    assert torch.equal(result.inputs["depth"][outside], inputs["depth"][outside])
    assert (result.forward[0] < result.forward[2]) or name == "hinge" or name.startswith("alma")


def standing(rule, goal):
    """A network's own prediction as the truth, so that nobody is fooled at first."""
    inputs, _ = scene(2)
    network = seeded(Saliency())
    masks = (network(inputs) > 0).float()
    target = masks.roll(4, -1) if goal == "paint" else None
    return MapProblem(network, masks, goal=goal, target=target, success=rule), inputs


RULES = [("iou<0.5", "untargeted"), ("flipped>=0.5", "untargeted"), ("iou<0.5", "hide"), ("target-iou>=0.5", "paint")]
MAPS = [(name, *RULES[0]) for name in QUICK if name not in ("cw squashed", "bisection l0")]
MAPS += [(name, *rule) for name in ("cw", "alma linf", "bisection linf") for rule in RULES[1:]]


@pytest.mark.parametrize(("name", "rule", "goal"), MAPS)
def test_maps(name, rule, goal):
    problem, inputs = standing(rule, goal)
    result = run(name, problem, inputs, ("rgb", "depth"))
    assert not problem.fooled(problem.forward(inputs)).any()
    assert result.fooled.all()
    assert problem.fooled(problem.forward(result.inputs)).all()


@pytest.mark.parametrize(("name", "plain"), [("hinge", "bisection l2"), ("alma linf", "bisection linf")])
def test_the_cross_check_agrees_on_maps(name, plain):
    """What steps inside a radius find, an attack made for the smallest change finds too, or better."""
    problem, inputs = standing("iou<0.5", "untargeted")
    other = run(plain, problem, inputs, ("rgb", "depth")).distance
    assert (run(name, problem, inputs, ("rgb", "depth")).distance <= 1.05 * other).all()


def test_black_and_white_values_can_move():
    """The inverse tanh freezes values at the ends of the box, which is why it is not the default."""
    ends = {"depth": torch.tensor([0.0, 1.0]).repeat(18).view(1, 1, 6, 6)}
    inward = torch.tensor([1.0, -1.0]).repeat(18).view(1, 1, 6, 6)
    problem = ScoreProblem(lambda x: ((x["depth"] - ends["depth"]) * inward).flatten(1).sum(1) - 1, inputs=("depth",))
    assert run("cw", problem, ends).fooled.all()
    assert not run("cw squashed", problem, ends).fooled.any()


@pytest.mark.parametrize("attack", [cw, hinge, ead, cw_linf])
def test_confidence(attack):
    w, inputs = weights(2), middle(2)
    norm = ATTACKS["cw-linf" if attack is cw_linf else attack.__name__].norms[0]
    threat = {"depth": Budget(norm, WIDE[norm])}
    problem = gains(w, 0.05)
    result = attack(problem, inputs, threat, confidence=0.1)
    assert (problem.forward(result.inputs) >= 0.15).all()
    with pytest.raises(UsageError, match="--confidence -1: pass 0 or more"):
        attack(problem, inputs, threat, confidence=-1)


def test_acceptable_change_ends_the_search():
    w, inputs = weights(2), middle(2)
    problem, threat = gains(w, 0.05), {"depth": Budget("l2", math.inf)}
    best = hinge(problem, inputs, threat)
    early = hinge(problem, inputs, threat, acceptable=2 * float(best.distance.max()))
    assert early.fooled.all()
    assert (early.forward < 20).all()


def test_rounds_are_each_samples_own():
    """Samples that are through leave; none spends more than rounds times steps, and what begins and ends."""
    problem, inputs = standing("iou<0.5", "untargeted")
    result = cw(problem, inputs, {"depth": Budget("l2", math.inf)}, steps=40, rounds=3)
    assert (result.forward <= 3 * 40 + 2).all()
    assert (result.backward <= 3 * 40 + 1).all()


@pytest.mark.parametrize("attack", [cw, ead, hinge, cw_linf, lbfgs, alma, bisection])
def test_settings_are_checked(attack):
    norm = "l1" if attack is ead else "linf" if attack is cw_linf else "l2"
    with pytest.raises(UsageError, match="--steps 0 is too few; pass 1 or more"):
        attack(gains(weights()), middle(), {"depth": Budget(norm, 1.0)}, steps=0)


def test_a_problem_without_margins():
    class Plain:
        name, inputs, modules = "mine", ("depth",), ()

    with pytest.raises(UsageError, match='"alma" needs margins, and the problem of mine has no demands'):
        alma(Plain(), middle(), {"depth": Budget("l2", 1.0)})


def test_penalty_and_its_slope():
    """Smooth at the turning point, where the slope is the multiplier."""
    y = torch.linspace(-2, 2, 41, dtype=torch.float64)[None].requires_grad_()
    force, multiplier = torch.full_like(y, 0.7), torch.full_like(y, 3.0)
    gradient = torch.autograd.grad(penalty(y, force, multiplier).sum(), y)[0]
    assert torch.allclose(gradient, slope(y.detach(), force, multiplier))
    assert gradient[0, 20] == pytest.approx(3)
    assert (gradient.diff() >= 0).all()


def test_curvature_of_a_quadratic():
    """After as many steps as there are values, the quasi-Newton step of a quadratic is Newton's."""
    steep = torch.tensor([[1.0, 4.0, 9.0], [2.0, 1.0, 5.0]], dtype=torch.float64)
    memory = Curvature.begin(steep)
    for at in range(3):
        step = torch.eye(3, dtype=torch.float64)[at].expand(2, 3)
        memory = memory.after(step, steep * step, torch.tensor([True, True]))
    way = memory.way(steep, torch.ones(2, dtype=torch.float64))
    assert torch.allclose(way, -torch.ones_like(way))
    still = memory.fresh(torch.tensor([True, False])).way(steep, torch.full((2,), 0.5, dtype=torch.float64))
    assert torch.allclose(still[0], -0.5 * steep[0])
    assert torch.allclose(still[1], way[1])
