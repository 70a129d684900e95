"""ROSA and the multi-layer attack: what they turn, what they listen to, what they refuse."""

import re

import pytest
import torch
from attacks_networks import Pair, Saliency, seeded
from attacks_problems import SHAPES, gains, middle, rand, scene, toy, weights
from torch import nn

from rgbdsod.attacks import Budget, ClassProblem, MapProblem
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.saliency.decisions import Decisions
from rgbdsod.attacks.saliency.multilayer import multilayer
from rgbdsod.attacks.saliency.rosa import Proportional, rosa
from rgbdsod.attacks.saliency.taps import Taps
from rgbdsod.errors import UsageError
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.rehearsal import rehearse

BOTH = {"rgb": Budget(eps=0.1), "depth": Budget(eps=0.1)}
EACH = pytest.mark.parametrize("attack", [rosa, multilayer])


class Shown(nn.Module):
    """Shows the depth map: a pixel nearer than 0.5 is salient."""

    inputs = ("rgb", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.show = nn.Conv2d(1, 1, 1)
        nn.init.constant_(self.show.weight, 10.0)
        nn.init.constant_(self.show.bias, -5.0)

    def forward(self, inputs):
        return self.show(inputs["depth"])


def shown(samples: int = 2):
    """Near and far pixels, 0.03 to 0.08 from the threshold; what the model shows is not what is true."""
    side = (rand(4, samples, 1, 8, 8) - 0.5).sign()
    depth = 0.5 + side * (0.03 + 0.05 * rand(3, samples, 1, 8, 8))
    inputs = {"rgb": torch.full((samples, 3, 8, 8), 0.5), "depth": depth}
    masks = torch.zeros(samples, 1, 8, 8)
    masks[..., :4] = 1
    return Shown(), inputs, masks


@EACH
def test_both_labels_turn(attack):
    """Where the prediction is dark it becomes bright, and the other way round."""
    network, inputs, masks = shown()
    before = network(inputs)[:, 0] > 0
    assert before.any((1, 2)).all()
    assert (~before).any((1, 2)).all()
    result = attack(MapProblem(network, masks), inputs, {"depth": Budget(eps=0.1)})
    after = network(result.inputs)[:, 0] > 0
    assert torch.equal(after, ~before)
    audit(result.inputs, inputs, {"depth": Budget(eps=0.1)})


@EACH
def test_against_the_truth_only_what_was_right_turns(attack):
    network, inputs, masks = shown()
    right = (network(inputs) > 0) == (masks > 0.5)
    settings = {"weight": 0.0} if attack is multilayer else {}
    result = attack(MapProblem(network, masks), inputs, {"depth": Budget(eps=0.1)}, against="truth", **settings)
    after = (network(result.inputs) > 0) == (masks > 0.5)
    assert not after.any()
    assert torch.equal(result.inputs["depth"][~right], inputs["depth"][~right])
    assert result.fooled.all()


def test_hiding_counts_what_is_still_shown():
    network, inputs, masks = shown()
    problem = MapProblem(network, masks, goal="hide")
    result = rosa(problem, inputs, {"depth": Budget(eps=0.1)}, against="truth")
    dark = network(inputs) <= 0
    assert not (network(result.inputs) > 0).any()
    assert torch.equal(result.inputs["depth"][dark], inputs["depth"][dark])


def test_a_sample_without_pixels_left_stands_still():
    """One step too many changes nothing, and no sample waits for another."""
    network, inputs, masks = shown()
    inputs["depth"][1] = 0.5 + 4 * (inputs["depth"][1] - 0.5)  # never turned within the radius
    problem, threat = MapProblem(network, masks), {"depth": Budget(eps=0.1)}
    ends = [rosa(problem, inputs, threat, steps=steps).inputs["depth"] for steps in (1, 2, 8)]
    assert torch.equal(ends[0][0], ends[1][0])
    assert torch.equal(ends[0][0], ends[2][0])
    left = (network({"depth": ends[2]})[1] > 0) == (network(inputs)[1] > 0)
    assert left.any()
    alone = rosa(problem.select(torch.tensor([1])), {k: v[1:] for k, v in inputs.items()}, threat, steps=8)
    assert torch.allclose(alone.inputs["depth"], ends[2][1:])


def test_pixels_that_turned_leave_the_gradient():
    """On a linear model the whole step goes to those that are left."""
    network, inputs, masks = shown(1)
    problem = MapProblem(network, masks)
    first = rosa(problem, inputs, {"depth": Budget(eps=0.1)}, steps=1, step_size=0.05)
    after = rosa(problem, inputs, {"depth": Budget(eps=0.1)}, steps=2, step_size=0.05)
    turned = (network(first.inputs) > 0) != (network(inputs) > 0)
    moved = (after.inputs["depth"] - first.inputs["depth"]).abs()
    assert 0 < turned.sum() < turned.numel()
    assert (moved[turned] == 0).all()
    assert torch.allclose(moved[~turned], torch.full_like(moved[~turned], 0.05), atol=1e-6)


@pytest.mark.parametrize(("norm", "share"), [("linf", 0.85), ("l2", 0.97)])
def test_rosa_on_a_linear_score(norm, share):
    """A threshold that is never reached keeps the one decision: the way is the gradient's, up to the bound."""
    w, inputs = weights(3), middle(3)
    problem = gains(w)
    problem._threshold = 1e3
    radii = {"linf": {"rgb": 4 / 255, "depth": 16 / 255}, "l2": {"rgb": 0.5, "depth": 0.2}}[norm]
    threat = {name: Budget(norm, radii[name]) for name in SHAPES}
    result = rosa(problem, inputs, threat)
    best = sum(radii[name] * w[name].flatten(1).norm(p=1 if norm == "linf" else 2, dim=1) for name in w)
    assert (result.loss <= best + 1e-9).all()
    assert (result.loss >= share * best).all()
    audit(result.inputs, inputs, threat)


def test_steps_are_proportional_to_the_gradient_whatever_its_scale():
    clean = torch.full((3, 4), 0.5)
    limits = ball(clean, Budget(eps=0.4, mask=torch.tensor([1.0, 1.0, 1.0, 0.0])))
    rule = Proportional({"x": limits}, {"x": torch.tensor(0.1)}, 1, memories=[])
    way = torch.tensor([[1e-30, -5e-31, 0, 9], [2.0, 1.0, -4.0, 9.0], [0, 0, 0, 0]])
    moved = rule.move({"x": clean}, {"x": way})["x"] - clean
    expected = torch.tensor([[0.1, -0.05, 0, 0], [0.05, 0.025, -0.1, 0], [0, 0, 0, 0]])
    assert torch.allclose(moved, expected, atol=1e-7)


def test_decisions_of_classes_leave_out_what_is_none():
    """The label's own margin is infinite."""
    margins = torch.tensor([[2.0, float("inf"), -1.0]])
    assert Decisions("truth").left(margins).tolist() == [[2, 0, 0]]
    own = Decisions("prediction")
    assert own.left(margins).tolist() == [[2, 0, 1]]
    assert own.left(-margins).tolist() == [[0, 0, 0]]
    inputs, _ = scene()
    network = seeded(Pair())
    problem = ClassProblem(network, network(inputs).argmax(1), inputs=("rgb", "depth"))
    result = rosa(problem, inputs, BOTH, against="truth")
    assert (result.loss > result.start_loss).all()


@EACH
def test_samples_that_stop_leave_the_rest_as_they_are(attack):
    """The first and the third sample turn at once and leave; what is remembered of the others stays theirs."""
    network, inputs, _ = shown(4)
    inputs["depth"][1::2] = 0.5 + 4 * (inputs["depth"][1::2] - 0.5)
    problem = MapProblem(network, (network(inputs) > 0).float(), success="flipped>=0.99")
    plain, stopped = (
        attack(problem, inputs, {"depth": Budget(eps=0.2)}, keep="best", steps=8, step_size=0.1, stop=stop)
        for stop in (False, True)
    )
    assert stopped.fooled.tolist() == [True, False, True, False]
    assert (stopped.forward[::2] < plain.forward[::2]).all()
    assert torch.equal(stopped.forward[1::2], plain.forward[1::2])
    assert torch.allclose(stopped.inputs["depth"][1::2], plain.inputs["depth"][1::2], atol=1e-6)


@pytest.mark.parametrize(("attack", "forward"), [(rosa, 6), (multilayer, 7)])
def test_passes(attack, forward):
    problem, inputs = toy()
    result = attack(problem, inputs, BOTH, steps=5)
    assert result.forward.tolist() == [forward] * 4
    assert result.backward.tolist() == [5] * 4
    assert torch.allclose(result.loss, problem.loss(problem.forward(result.inputs)))


def features(network: Saliency, inputs, layer: str) -> torch.Tensor:
    with Taps([network], [layer]) as taps, torch.no_grad():
        network(inputs)
        return taps.read()[layer]


def test_layers_come_nearer_to_the_guide():
    """The more the more weight they have; the guide is another image."""
    problem, inputs = toy()
    network, other = problem.modules[0], {name: value.roll(1, 0) for name, value in inputs.items()}
    goal = features(network, other, "mix")
    gaps = []
    for weight in (0.0, 1.0, 100.0):
        result = multilayer(problem, inputs, BOTH, layers=["mix"], weight=weight, guide=other, step_size=0.01)
        gaps.append((features(network, result.inputs, "mix") - goal).square().flatten(1).mean(1))
    start = (features(network, inputs, "mix") - goal).square().flatten(1).mean(1)
    assert (gaps[2] < 0.9 * start).all()
    assert (gaps[2] < gaps[0]).all()
    assert gaps[1].mean() < gaps[0].mean()


def test_without_layers_weight_a_named_layer_does_not_matter():
    problem, inputs = toy()
    plain, named = (multilayer(problem, inputs, BOTH, weight=0.0, layers=names) for names in ("auto", "mix, out"))
    assert torch.equal(plain.inputs["rgb"], named.inputs["rgb"])
    heavy = multilayer(problem, inputs, BOTH, weight=5.0, layers="mix,out")
    assert not torch.equal(heavy.inputs["rgb"], named.inputs["rgb"])


def test_a_guide_for_all_samples_and_the_negative():
    problem, inputs = toy()
    grey = {name: torch.full_like(value[:1], 0.5) for name, value in inputs.items()}
    one, each = (
        multilayer(problem, inputs, BOTH, guide=guide, weight=3.0)
        for guide in (grey, {name: value.expand_as(inputs[name]) for name, value in grey.items()})
    )
    assert torch.equal(one.inputs["rgb"], each.inputs["rgb"])
    negative = {name: 1 - value for name, value in inputs.items()}
    default, named = (multilayer(problem, inputs, BOTH, guide=guide, weight=3.0) for guide in (None, negative))
    assert torch.equal(default.inputs["depth"], named.inputs["depth"])
    assert not torch.equal(default.inputs["depth"], one.inputs["depth"])


def test_only_layers_of_attacked_inputs_count():
    """The untouched encoder runs once, before; in a plain callable it runs, but knows nothing of the attacked input."""
    problem, inputs = toy()
    network, masks = problem.modules[0], scene()[1]
    depth = {"depth": Budget(eps=0.1)}
    first = multilayer(problem, inputs, depth, layers=("rgb", "depth", "mix"))
    assert torch.equal(first.inputs["depth"], multilayer(problem, inputs, depth, layers="depth,mix").inputs["depth"])
    whole = MapProblem(network.forward, masks, inputs=("rgb", "depth"), modules=(network,))
    for form in (problem, whole):
        with pytest.raises(UsageError, match=r"^--layers: none of them depends on the attacked depth"):
            multilayer(form, inputs, depth, layers="rgb")
    assert not any(part._forward_hooks for part in network.modules())


def test_a_layer_that_runs_twice_is_heard_twice():
    layer = nn.Linear(2, 2)
    twice = nn.Sequential(layer, layer)
    with Taps([twice]) as taps:
        twice(torch.zeros(1, 2))
        heard = taps.read()
        assert list(heard) == ["0", "0#2"]
        assert torch.equal(layer(heard["0"]), heard["0#2"])
        taps.read()
        taps.only([])
        twice(torch.zeros(1, 2))
        assert taps.read() == {}


def test_hooks_are_gone_after_an_error():
    problem, inputs = toy()
    with pytest.raises(UsageError):
        multilayer(problem, inputs, {"thermal": Budget()})
    assert not any(part._forward_hooks for part in problem.modules[0].modules())


IMAGE = torch.full((4, 3, 16, 16), 0.5)


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (rosa, {"against": "model"}, '--against "model": pass prediction or truth'),
        (rosa, {"step_size": 0.0}, "--step-size 0 does not move"),
        (multilayer, {"against": ""}, '--against "": pass prediction or truth'),
        (multilayer, {"weight": -1.0}, "--weight -1: pass 0 (the prediction alone) or more"),
        (multilayer, {"layers": "mixx"}, '--layers: no layer "mixx"; did you mean "mix"?'),
        (multilayer, {"layers": "zzzzzz"}, '--layers: no layer "zzzzzz"; layers are rgb, depth, mix, out'),
        (
            multilayer,
            {"guide": {"rgb": IMAGE}},
            "the guide has no depth, which is attacked; pass guide={'depth': IMAGE}",
        ),
        (
            multilayer,
            {"guide": {"rgb": IMAGE[:3], "depth": IMAGE[:, :1]}},
            "the guide's rgb of shape (3, 3, 16, 16) does not fit the input's (4, 3, 16, 16)",
        ),
        (multilayer, {"guide": {"rgb": 255 * IMAGE}}, 'input "guide rgb" has values from 127.50 to 127.50'),
    ],
)
def test_errors(attack, settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=f"^{re.escape(text)}"):
        attack(problem, inputs, BOTH, **settings)


def test_a_problem_without_modules_has_no_layers():
    network, (inputs, masks) = seeded(Saliency()), scene()
    problem = MapProblem(network.forward, masks, inputs=("rgb", "depth"))
    with pytest.raises(UsageError, match="no layer to listen to: the problem holds no modules; pass modules="):
        multilayer(problem, inputs, BOTH)


def test_a_run_is_rehearsed_without_the_layers_of_its_network():
    """What is checked before any image is read knows no layer of the real network."""
    for attack, own in (("multilayer", {"layers": "network.resnet.conv1"}), ("rosa", {"against": "truth"})):
        settings = AttackSettings(attack=attack, parameters=own)
        rehearse(AttackPlan.of(settings, ("rgb", "depth"), "bbsnet"))
    with pytest.raises(UsageError, match="--weight -1"):
        settings = AttackSettings(attack="multilayer", parameters={"weight": -1.0})
        rehearse(AttackPlan.of(settings, ("rgb", "depth"), "bbsnet"))
