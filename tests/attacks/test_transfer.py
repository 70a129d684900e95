"""Attacks made to fool other models: golden arrays, what a linear model must give, and trained networks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from attacks_cifar import images, resnet
from attacks_networks import Classifier, filled
from attacks_problems import gains, middle, rand, toy, weights

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, ScoreProblem, mifgsm
from rgbdsod.attacks.core import plain
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.attacks.transfer import copies as copies_module
from rgbdsod.attacks.transfer.diversity import Diverse, difgsm
from rgbdsod.attacks.transfer.frames import Frame, Span
from rgbdsod.attacks.transfer.lookahead import evenly
from rgbdsod.attacks.transfer.nifgsm import nifgsm
from rgbdsod.attacks.transfer.scaling import scaled, sifgsm
from rgbdsod.attacks.transfer.smoothing import gaussian, tifgsm
from rgbdsod.attacks.transfer.stack import transfer
from rgbdsod.attacks.transfer.variance import vmifgsm, vnifgsm
from rgbdsod.errors import UsageError

OFF = {"lookahead": False, "diversity": 0, "kernel": 1, "copies": 1, "variance_samples": 0}
BOTH = {"rgb": Budget(eps=4 / 255), "depth": Budget(eps=16 / 255)}


def same(one, other, tolerance=0.0):
    return all((one.inputs[name] - value).abs().max() <= tolerance for name, value in other.inputs.items())


# Golden arrays


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "attacks.npz") as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


@pytest.mark.parametrize(
    ("name", "attack", "own"),
    [
        ("nifgsm", nifgsm, {}),
        ("sinifgsm", sifgsm, {}),
        ("tifgsm_k7", tifgsm, {"kernel": 7}),
        ("mifgsm", transfer, OFF),
        ("nifgsm", transfer, OFF | {"lookahead": True}),
        ("sinifgsm", transfer, OFF | {"lookahead": True, "copies": 5}),
        ("tifgsm_k7", transfer, OFF | {"kernel": 7}),
    ],
)
def test_golden(shared, golden, name, attack, own):
    problem = ClassProblem(filled(Classifier(), shared), golden["cls_y"])
    threat = {"image": Budget(eps=8 / 255)}
    result = attack(problem, {"image": golden["cls_x"].double()}, threat, steps=10, step_size=2 / 255, **own)
    assert (result.inputs["image"] - golden[name]).abs().max() <= 1e-6


def test_golden_kernel(golden):
    taps = gaussian(7, torch.zeros((), dtype=torch.float64))
    assert torch.allclose(taps[:, None] * taps, golden["ti_kernel_7_nsig3"].double(), atol=1e-9)


# Each part switched off, and on problems whose answer is known


def test_everything_switched_off_is_mifgsm():
    problem, inputs = toy()
    assert same(transfer(problem, inputs, BOTH, **OFF), mifgsm(problem, inputs, BOTH, keep="last"))


@pytest.mark.parametrize("own", [{"diversity": 0.0}, {"diversity": 1.0, "smallest": 1.0}])
def test_diversity_that_moves_nothing_is_mifgsm(own):
    problem, inputs = toy()
    assert same(difgsm(problem, inputs, BOTH, **own), mifgsm(problem, inputs, BOTH, keep="last"))


@pytest.mark.parametrize(("attack", "other"), [(vmifgsm, mifgsm), (vnifgsm, nifgsm)])
def test_a_gradient_that_varies_nowhere_needs_no_tuning(attack, other):
    w, inputs = weights(3), middle(3)
    tuned = attack(gains(w), inputs, BOTH, variance_samples=3)
    assert same(tuned, other(gains(w), inputs, BOTH, keep="last"), 1e-12)


def test_tuning_sees_what_one_gradient_does_not():
    """A kink that only the neighbours reach: the mean gradient points the other way."""
    problem = ScoreProblem(lambda x: (x["image"] - 4 * F.relu(x["image"] - 0.501)).flatten(1).sum(1), inputs=("image",))
    inputs, threat = {"image": torch.full((2, 1, 8, 8), 0.5)}, {"image": Budget(eps=0.1)}
    first = {"steps": 2, "step_size": 0.0005, "decay": 0.0}
    plain = mifgsm(problem, inputs, threat, keep="last", **first)
    tuned = vmifgsm(problem, inputs, threat, **first)
    assert (plain.inputs["image"] > 0.5).all()
    assert (tuned.inputs["image"] < plain.inputs["image"]).float().mean() > 0.8


def test_darker_copies_of_a_square():
    """J = x^2: the copies' gradients are 2x/4^i, whatever the batch that they are computed in."""
    seen = []

    def square(inputs):
        seen.append(len(inputs["image"]))
        return inputs["image"].square().flatten(1).sum(1)

    problem, inputs = ScoreProblem(square, inputs=("image",)), {"image": rand(0, 2, 3, 4, 4)}
    with Engine.open(problem, inputs, {"image": Budget(eps=0.1)}, attack="x") as engine:
        found = scaled(plain, 4)(engine, inputs, 0.0)
        assert [count.tolist() for count in engine.passes()] == [[4, 4], [4, 4]]
    expected = 2 * inputs["image"] * sum(0.25**i for i in range(4)) / 4
    assert torch.allclose(found.gradients["image"], expected)
    assert torch.allclose(found.value, inputs["image"].square().flatten(1).sum(1))
    assert seen == [2, 6]  # the point itself, then three copies at once


@pytest.mark.parametrize("name", ["sifgsm", "vmifgsm", "transfer"])
def test_how_many_copies_share_a_pass_changes_nothing(name, monkeypatch):
    problem, inputs = toy()
    attack, own = ATTACKS[name].load(), {"transfer": {"variance_samples": 3}}.get(name, {})
    together = attack(problem, inputs, BOTH, steps=3, **own)
    monkeypatch.setattr(copies_module, "_ROWS", 1)
    one_by_one = attack(problem, inputs, BOTH, steps=3, **own)
    for key, value in together.inputs.items():
        assert ((value - one_by_one.inputs[key]).abs() > 1e-5).float().mean() < 0.01
    assert torch.equal(together.forward, one_by_one.forward)


@pytest.mark.parametrize(
    ("attack", "own", "backward"),
    [
        (nifgsm, {}, 5),
        (difgsm, {}, 5),
        (tifgsm, {}, 5),
        (sifgsm, {"copies": 3}, 15),
        (vmifgsm, {"variance_samples": 4}, 21),  # nothing is tuned after the last step
        (vnifgsm, {"variance_samples": 4}, 21),
        (transfer, {"copies": 2, "variance_samples": 4}, 42),
    ],
)
def test_passes(attack, own, backward):
    problem, inputs = toy()
    result = attack(problem, inputs, {"depth": Budget(eps=16 / 255)}, steps=5, **own)
    assert result.backward.tolist() == [backward] * 4
    assert result.forward.tolist() == [backward + 1] * 4
    assert result.inputs["rgb"] is inputs["rgb"]


@pytest.mark.parametrize("attack", [difgsm, sifgsm])
def test_each_gradient_can_be_a_mean_of_passes(attack):
    problem, inputs = toy(2)
    problem, own = problem.select(torch.arange(2)), {"copies": 2} if attack is sifgsm else {}
    once, twice = (attack(problem, inputs, BOTH, steps=2, eot=eot, **own) for eot in (1, 2))
    assert (twice.backward == 2 * once.backward).all()
    assert same(once, twice, 1e-6)


def test_half_precision_is_for_the_network_alone():
    """The pictures are not rounded on their way to the network."""
    seen = []

    def score(inputs):
        seen.append(inputs["image"].detach())
        return inputs["image"].flatten(1).sum(1)

    inputs = {"image": rand(2, 2, 3, 16, 16)}
    problem = ScoreProblem(score, inputs=("image",))
    difgsm(problem, inputs, {"image": Budget(eps=0.1)}, steps=2, diversity=1.0, precision="bfloat16")
    assert all(picture.dtype == torch.float32 for picture in seen)
    assert (seen[1] != seen[1].bfloat16().float()).any()


@pytest.mark.parametrize("name", ["nifgsm", "difgsm", "tifgsm", "sifgsm", "vmifgsm", "vnifgsm", "transfer"])
def test_samples_that_are_fooled_leave_and_the_others_go_on_as_ever(name):
    problem, inputs = toy(success="flipped>0.44")
    own = {"keep": "best", "steps": 6, **({"variance_samples": 2} if name == "transfer" else {})}
    attack = ATTACKS[name].load()
    whole, left = (attack(problem, inputs, BOTH, stop=stop, **own) for stop in (False, True))
    if name == "vmifgsm":
        assert 0 < (left.backward < whole.backward).sum() < 4
    for row in (left.backward == whole.backward).nonzero().flatten():
        for key, value in whole.inputs.items():
            assert ((value[row] - left.inputs[key][row]).abs() < 1e-5).float().mean() > 0.99


def test_look_ahead_is_as_long_as_a_step_in_every_norm():
    inputs = rand(0, 2, 3, 4, 4)
    for norm in ("linf", "l2", "l1"):
        limits = ball(inputs, Budget(norm, 0.5))
        even = torch.ones_like(inputs) / evenly(limits)
        assert torch.allclose(even, limits.direction(torch.ones_like(inputs), inputs, top=48))


# Input diversity


def frame(sides, starts, canvas=20):
    def span(side, start):
        return Span(torch.tensor(side)[:, None] / canvas, torch.tensor(start)[:, None] / canvas)

    rows, columns = zip(sides, starts, strict=True)
    return Frame(span(*rows), span(*columns))


def test_shrinking_is_resizing_and_padding():
    picture = rand(1, 2, 3, 20, 20)
    shrunk = frame(([18.0, 20.0], [19.0, 17.0]), ([1.0, 0.0], [0.0, 3.0])).shrink(picture)
    for at, (height, width, top, left) in enumerate([(18, 19, 1, 0), (20, 17, 0, 3)]):
        small = F.interpolate(picture[at : at + 1], (height, width), mode="bilinear")
        padded = F.pad(small, (left, 20 - width - left, top, 20 - height - top))
        assert torch.allclose(shrunk[at : at + 1], padded, atol=1e-5)


def test_restoring_finds_the_picture_again():
    """A map that is read off the canvas lies over the picture's own mask, at any resolution."""
    ramp = torch.linspace(0, 1, 20).expand(2, 1, 20, 20).contiguous()
    moved = frame(([16.0, 20.0], [16.0, 20.0]), ([2.0, 0.0], [3.0, 0.0]))
    again = moved.restore(moved.shrink(ramp))
    assert torch.allclose(again[..., 1:-1], ramp[..., 1:-1], atol=0.02)
    assert torch.equal(again[1], ramp[1])
    small = moved.restore(F.avg_pool2d(moved.shrink(ramp), 2))
    assert torch.allclose(small[..., 2:-2], F.avg_pool2d(ramp, 2)[..., 2:-2], atol=0.05)
    assert moved.restore("scores") == "scores"


@pytest.mark.parametrize("names", [("rgb", "depth"), ("depth",)])
def test_all_inputs_are_moved_alike_and_copies_too(names):
    """Also an input that is not attacked: the model would see depth beside the colours that belong to it."""
    seen = []

    def model(inputs):
        seen.append({name: value.detach() for name, value in inputs.items()})
        return inputs["rgb"].mean(1, keepdim=True) + inputs["depth"]

    picture = 0.1 + 0.8 * rand(4, 3, 1, 16, 16)
    inputs, threat = {"rgb": picture.expand(-1, 3, -1, -1).contiguous(), "depth": picture}, {k: BOTH[k] for k in names}
    problem = MapProblem(model, torch.zeros(3, 1, 16, 16))
    estimate = Diverse(1.0, 0.7, steps=3)
    with Engine.open(problem, inputs, threat, attack="x", sample_ids=["a", "b", "c"]) as engine:
        twice = engine.part(torch.tensor([0, 1, 2, 0, 1, 2]))
        for one in (engine, twice):
            for progress in (1 / 3, 2 / 3):
                estimate(one, one.clean, progress)
        assert engine.passes()[1].tolist() == [6, 6, 6]
    for points in seen:
        assert torch.equal(points["rgb"][:, :1], points["depth"])
    first, second, first_of_copies, _ = (points["depth"] for points in seen)
    assert not torch.equal(first, second)
    assert torch.equal(first_of_copies, torch.cat([first, first]))
    assert (first == 0).flatten(1).any(1).all()
    assert not torch.equal(first[0].ne(0), first[1].ne(0))


def test_gradients_of_shrunk_inputs_are_those_of_the_inputs():
    problem, inputs = toy(2)
    problem, inputs = problem.select(torch.arange(2)), {name: value.double() for name, value in inputs.items()}
    problem.modules[0].double()
    estimate, way = Diverse(1.0, 0.8, steps=2), {name: rand(5, *x.shape).double() - 0.5 for name, x in inputs.items()}
    with Engine.open(problem, inputs, BOTH, attack="x") as engine:
        here = estimate(engine, inputs, 0.5)
        ahead, behind = (
            estimate(engine, {name: x + sign * 1e-5 * way[name] for name, x in inputs.items()}, 0.5).value
            for sign in (1, -1)
        )
    slope = sum((here.gradients[name] * way[name]).flatten(1).sum(1) for name in inputs)
    assert torch.allclose((ahead - behind) / 2e-5, slope, rtol=1e-4)
    assert not here.faithful


@pytest.mark.parametrize("name", ["nifgsm", "difgsm", "sifgsm", "vmifgsm", "transfer"])
def test_the_loss_at_the_start_is_that_of_the_clean_inputs(name):
    problem, inputs = toy()
    result = ATTACKS[name].load()(problem, inputs, BOTH, steps=2)
    assert torch.allclose(result.start_loss, problem.loss(problem.forward(inputs)), atol=1e-6)


# Bad input


@pytest.mark.parametrize(
    ("name", "own", "message"),
    [
        ("difgsm", {"diversity": 1.5}, "--diversity 1.5 is no chance; pass 0"),
        ("difgsm", {"smallest": 0}, "--smallest 0 is no share"),
        ("tifgsm", {"kernel": 4}, "--kernel 4 has no middle; pass an odd number"),
        ("sifgsm", {"copies": 0}, "--copies 0: pass 1"),
        ("vmifgsm", {"variance_samples": 0}, "--variance-samples 0: pass 1"),
        ("vnifgsm", {"spread": 0}, "--spread 0 leaves all neighbours at the point"),
        ("nifgsm", {"decay": -1}, "--decay -1: pass 0"),
    ],
)
def test_parameters_out_of_range(name, own, message):
    problem, inputs = toy(1)
    with pytest.raises(UsageError, match=message):
        ATTACKS[name].load()(problem, inputs, BOTH, **own)


@pytest.mark.parametrize("name", ["difgsm", "tifgsm"])
def test_inputs_that_are_no_images(name):
    problem = ScoreProblem(lambda x: x["image"].sum(1), inputs=("image",))
    with pytest.raises(UsageError, match=r'needs images \(B,C,H,W\), but input "image" has shape \(2, 5\)'):
        ATTACKS[name].load()(problem, {"image": torch.full((2, 5), 0.5)}, {"image": Budget(eps=0.1)})


def test_a_vector_can_be_attacked_by_the_others():
    problem = ScoreProblem(lambda x: x["image"].sum(1), inputs=("image",))
    for name in ("nifgsm", "sifgsm", "vmifgsm", "vnifgsm"):
        result = ATTACKS[name].load()(problem, {"image": torch.full((2, 5), 0.5)}, {"image": Budget(eps=0.1)})
        assert torch.allclose(result.inputs["image"], torch.tensor(0.6))


# Trained networks: what is made on one fools the other at least as often as I-FGSM does


def _fooled_elsewhere(shared, count, attacks):
    source, target = resnet(shared, 20), resnet(shared, 56)
    inputs, labels = images(shared, count, source, target)
    threat = {"image": Budget(eps=8 / 255)}
    rates = {}
    for name, own in {"ifgsm": {"steps": 10, "step_size": 0.8 / 255, "keep": "last"}, **attacks}.items():
        result = ATTACKS[name].load()(ClassProblem(source, labels), inputs, threat, **own)
        with torch.no_grad():
            rates[name] = int((target(result.inputs).argmax(1) != labels).sum())
    return rates


def test_transfer_between_trained_networks(shared):
    rates = _fooled_elsewhere(shared, 24, {"nifgsm": {}, "difgsm": {}, "tifgsm": {}})
    assert min(rates.values()) == rates["ifgsm"]


@pytest.mark.slow
def test_dearer_attacks_transfer_between_trained_networks(shared):
    rates = _fooled_elsewhere(shared, 48, {"sifgsm": {}, "vmifgsm": {"variance_samples": 5}, "vnifgsm": {}})
    assert min(rates.values()) == rates["ifgsm"]
