"""SegPGD and CosPGD by name, and what the scale-free map objectives promise. Their formulas: test_objectives.py."""

import pytest
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import gains, middle, rand, scene, toy, weights

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, pgd
from rgbdsod.attacks.gradient.apgd import apgd
from rgbdsod.attacks.gradient.cospgd import cospgd
from rgbdsod.attacks.gradient.segpgd import segpgd
from rgbdsod.attacks.pixels import Pixels, Reference
from rgbdsod.attacks.table import ATTACKS, MAP_OBJECTIVES
from rgbdsod.errors import UsageError

BOTH = {"rgb": Budget(eps=4 / 255), "depth": Budget(eps=16 / 255)}
NAMED = pytest.mark.parametrize("attack", [segpgd, cospgd])


@NAMED
@pytest.mark.parametrize("goal", ["untargeted", "hide"])
def test_named_attack_is_pgd_with_its_objective(attack, goal):
    """Whatever objective the problem came with."""
    (inputs, masks), network = scene(), seeded(Saliency())
    named = attack(MapProblem(network, masks, objective="mae", goal=goal), inputs, BOTH, steps=6, restarts=2)
    problem = MapProblem(network, masks, objective=attack.__name__, goal=goal)
    plain = pgd(problem, inputs, BOTH, steps=6, restarts=2, step_size=0.01)
    for name in inputs:
        assert torch.equal(named.inputs[name], plain.inputs[name])
    assert torch.equal(named.trace, plain.trace)
    assert torch.equal(named.loss, MapProblem(network, masks, goal=goal).loss(problem.forward(plain.inputs)))


@NAMED
def test_l2_steps_are_the_norms_own(attack):
    problem, inputs = toy()
    threat = {"rgb": Budget("l2", 0.5)}
    named = attack(problem, inputs, threat, steps=4)
    plain = pgd(problem.raising(attack.__name__), inputs, threat, steps=4)
    assert torch.equal(named.inputs["rgb"], plain.inputs["rgb"])
    longer = attack(problem, inputs, threat, steps=4, step_size=0.4)
    assert not torch.equal(longer.inputs["rgb"], named.inputs["rgb"])


@NAMED
def test_only_maps_have_pixels(attack):
    with pytest.raises(UsageError, match="gives one score per sample"):
        attack(gains(weights()), middle(), BOTH)
    classes = ClassProblem(lambda x: x["rgb"].mean((2, 3)), torch.tensor([0]), inputs=("rgb", "depth"))
    with pytest.raises(UsageError, match=f'no objective "{attack.__name__}"'):
        attack(classes, middle(), BOTH)
    assert ATTACKS[attack.__name__].outputs == "maps"


def view(logits: torch.Tensor, side: str = "both") -> Pixels:
    truth = torch.zeros_like(logits)
    if side == "both":
        truth[:, :, 2:6, 1:5] = 1
    elif side == "object":
        truth[:] = 1
    return Pixels(logits, Reference.of(truth))


LOGITS = 8 * rand(3, 3, 1, 9, 7, dtype=torch.float64) - 3


@pytest.mark.parametrize(
    ("name", "scale", "shift"),
    [("dlr-threshold", True, False), ("dlr-rank", True, True), ("rank", True, True), ("e-measure", False, False)],
)
def test_what_an_objective_does_not_see(name, scale, shift):
    objective = MAP_OBJECTIVES[name].load()
    start = objective(view(LOGITS))
    assert torch.allclose(objective(view(7 * LOGITS)), start) == scale
    assert torch.allclose(objective(view(LOGITS + 2)), start) == shift


@pytest.mark.parametrize("side", ["object", "background"])
@pytest.mark.parametrize("name", ["dlr-threshold", "dlr-rank", "rank", "e-measure"])
def test_a_truth_with_one_side_still_has_a_way_out(name, side):
    """No object, or nothing else: ranking pixels says nothing, so the loss rises as the logits leave the truth."""
    objective = MAP_OBJECTIVES[name].load()
    logits = LOGITS.clone().requires_grad_()
    loss = objective(view(logits, side))
    slope = torch.autograd.grad(loss.sum(), logits)[0]
    away = slope if side == "background" else -slope
    assert torch.isfinite(loss).all()
    assert (away.flatten(1).sum(1) > 0).all()
    worse = objective(view(LOGITS + (3 if side == "background" else -3), side))
    assert (worse > loss).all()


@pytest.mark.parametrize("name", ["dlr-threshold", "dlr-rank", "rank", "e-measure"])
def test_a_wrong_map_is_worth_more_than_a_right_one(name):
    objective = MAP_OBJECTIVES[name].load()
    right = view(LOGITS).reference.sign * LOGITS.abs()
    assert (objective(view(-right)) > objective(view(LOGITS))).all()
    assert (objective(view(LOGITS)) > objective(view(right))).all()


def test_e_measure_of_a_perfect_map_is_one():
    objective = MAP_OBJECTIVES["e-measure"].load()
    for side in ("both", "object", "background"):
        sign = view(LOGITS, side).reference.sign
        assert torch.allclose(objective(view(40 * sign, side)), torch.full((3,), -1.0, dtype=torch.float64))


def test_apgd_lowers_the_rank_of_the_object():
    """What the AUC sees: object pixels below background pixels."""
    problem, inputs = toy()
    masks = scene()[1] > 0.5

    def auc(points) -> torch.Tensor:
        logits = problem.forward(points)
        pairs = [(z[g][:, None] > z[~g][None]).double().mean() for z, g in zip(logits, masks, strict=True)]
        return torch.stack(pairs)

    for objective in ("rank", "dlr-rank"):
        result = apgd(problem, inputs, BOTH, steps=15, objective=objective)
        assert (auc(result.inputs) < auc(inputs) - 0.05).all()
