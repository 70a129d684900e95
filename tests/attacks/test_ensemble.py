"""Several models attacked as one."""

import pytest
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import gains, middle, rand, scene, weights

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, mifgsm
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.transfer.ensemble import EnsembleProblem
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.attacks.transfer.nifgsm import nifgsm
from rgbdsod.attacks.transfer.stack import transfer
from rgbdsod.errors import UsageError

WAYS = ("logits", "probabilities", "loss")
BOTH = {"rgb": Budget(eps=4 / 255), "depth": Budget(eps=16 / 255)}
DEPTH = {"depth": Budget(eps=16 / 255)}


def maps(samples=3, **settings):
    """Two random networks about the same scenes."""
    inputs, masks = scene(samples)
    return [MapProblem(seeded(Saliency(), seed), masks, **settings) for seed in (0, 1)], inputs


def classes(seed, labels):
    weight = rand(seed, 12, 4) - 0.5
    return ClassProblem(lambda x: x["image"].flatten(1) @ weight, labels)


# What is combined


@pytest.mark.parametrize("combine", WAYS)
def test_one_member_is_that_member(combine):
    (member, _), inputs = maps()
    problem = EnsembleProblem([member], combine=combine)
    outputs, own = problem.forward(inputs), member.forward(inputs)
    assert torch.allclose(problem.loss(outputs), member.loss(own), atol=1e-6)
    assert torch.equal(problem.fooled(outputs), member.fooled(own))
    assert torch.allclose(problem.margins(outputs), member.margins(own), atol=1e-5)
    assert torch.allclose(problem.gap(outputs), member.gap(own), atol=1e-5)
    assert problem.track(outputs) is None
    assert torch.allclose(problem.sides(outputs)[0], member.sides(own)[0], atol=1e-4)
    assert problem.kind == ("score" if combine == "loss" else "maps")
    margins, shares = problem.demands(outputs)
    assert torch.allclose((margins.clamp_min(0) * shares).sum(1) > 0, ~member.fooled(own))


def test_means_of_maps():
    members, inputs = maps()
    own = [member.forward(inputs) for member in members]
    logits = EnsembleProblem(members, weights=(0.25, 0.75)).forward(inputs)
    assert torch.allclose(logits, 0.25 * own[0] + 0.75 * own[1], atol=1e-5)
    mixed = EnsembleProblem(members, combine="probabilities", weights=(0.25, 0.75)).forward(inputs)
    assert torch.allclose(mixed.sigmoid(), 0.25 * own[0].sigmoid() + 0.75 * own[1].sigmoid(), atol=1e-6)
    losses = EnsembleProblem(members, combine="loss", weights=(0.25, 0.75))
    expected = 0.25 * members[0].loss(own[0]) + 0.75 * members[1].loss(own[1])
    assert torch.allclose(losses.loss(losses.forward(inputs)), expected)


def test_mean_probability_of_confident_members():
    """Probabilities that round to 0 and 1 in float32 still have a logit, and a gradient."""
    sure = [
        MapProblem(lambda x, sign=sign: sign * 200 * x["depth"], torch.ones(1, 1, 2, 2), inputs=("depth",))
        for sign in (1, 1)
    ]
    depth = torch.ones(1, 1, 2, 2, requires_grad=True)
    logits = EnsembleProblem(sure, combine="probabilities").forward({"depth": depth})
    assert torch.allclose(logits, torch.full_like(logits, 200.0))
    assert torch.autograd.grad(logits.sum(), depth)[0].isfinite().all()


def test_mean_probabilities_of_classes():
    labels, x = torch.tensor([0, 1]), {"image": rand(3, 2, 3, 2, 2)}
    members = [classes(seed, labels) for seed in (1, 2)]
    mixed = EnsembleProblem(members, combine="probabilities", weights=(1.0, 0.0)).forward(x)
    assert torch.allclose(mixed.softmax(1), members[0].forward(x).softmax(1), atol=1e-6)
    mixed = EnsembleProblem(members, combine="probabilities").forward(x)
    expected = torch.stack([member.forward(x).softmax(1) for member in members]).mean(0)
    assert torch.allclose(mixed.softmax(1), expected, atol=1e-6)


def test_maps_of_different_sizes_meet_on_the_first_ones_grid():
    inputs, masks = scene(2)
    small = MapProblem(
        lambda x: torch.nn.functional.avg_pool2d(x["depth"], 2) - 0.5, masks[..., ::2, ::2], inputs=("rgb", "depth")
    )
    large = MapProblem(seeded(Saliency()), masks)
    problem = EnsembleProblem([large, small])
    assert problem.forward(inputs).shape == masks.shape
    assert EnsembleProblem([small, large]).forward(inputs).shape == (2, 1, 8, 8)
    result = nifgsm(problem, inputs, BOTH)
    assert (result.loss > result.start_loss).all()


def test_with_loss_all_members_must_be_fooled():
    w, inputs = weights(3), {name: value + 0.01 for name, value in middle(3).items()}
    members = [gains(w), gains({name: -value for name, value in w.items()})]
    problem = EnsembleProblem(members, combine="loss")
    outputs = problem.forward(inputs)
    assert torch.equal(members[0].fooled(outputs[0]), ~members[1].fooled(outputs[1]))
    assert not problem.fooled(outputs).any()
    assert (problem.gap(outputs) > 0).all()
    assert problem.margins(outputs).shape == (3, 2)
    assert torch.equal(problem.demands(outputs)[0], problem.exits(outputs))


# How it is attacked


@pytest.mark.parametrize("combine", WAYS)
@pytest.mark.parametrize("attack", [mifgsm, nifgsm, transfer])
def test_attacked_within_its_budgets_and_sample_by_sample(attack, combine):
    members, inputs = maps()
    problem = EnsembleProblem(members, combine=combine)
    result = attack(problem, inputs, DEPTH, steps=4, sample_ids=["a", "b", "c"])
    audit(result.inputs, inputs, DEPTH)
    assert result.inputs["rgb"] is inputs["rgb"]
    assert (result.loss > result.start_loss).all()
    index = torch.tensor([2])
    alone = attack(
        problem.select(index), {name: x[index] for name, x in inputs.items()}, DEPTH, steps=4, sample_ids=["c"]
    )
    assert ((alone.inputs["depth"] - result.inputs["depth"][index]).abs() < 1e-5).float().mean() > 0.98


@pytest.mark.parametrize("attack", [mifgsm, nifgsm])
@pytest.mark.parametrize("combine", WAYS)
def test_a_pass_counts_once_for_every_member(attack, combine):
    members, inputs = maps()
    result = attack(EnsembleProblem(members, combine=combine), inputs, DEPTH, steps=3)
    assert (result.forward.tolist(), result.backward.tolist()) == ([8] * 3, [6] * 3)


def test_untouched_inputs_are_encoded_once_by_every_member():
    members, inputs = maps()
    networks = [member.modules[0] for member in members]
    mifgsm(EnsembleProblem(members), inputs, DEPTH, steps=3)
    assert [network.encoded for network in networks] == [{"rgb": 1, "depth": 4}] * 2


def test_another_objective_for_every_member():
    members, inputs = maps()
    problem = EnsembleProblem(members, combine="loss").raising("segpgd")
    outputs = problem.forward(inputs)
    expected = sum(member.raising("segpgd").loss(own) for member, own in zip(members, outputs, strict=True)) / 2
    assert torch.allclose(problem.loss(outputs), expected)
    ranking = sum(member.loss(own) for member, own in zip(members, outputs, strict=True)) / 2
    assert torch.allclose(problem.track(outputs), ranking)  # segpgd is ranked by bce
    assert not members[0].modules[0].training
    mixed = EnsembleProblem([members[0].raising("segpgd"), members[1]], combine="loss")
    assert torch.allclose(mixed.track(outputs), ranking)


def test_member_by_member_is_the_same_as_all_at_once():
    members, inputs = maps()
    problem = EnsembleProblem(members, combine="loss", weights=(0.3, 0.7))
    alive = []

    def watched(engine, points, progress):
        alive.append(engine.problem.name)
        return engine.gradient(points, progress)

    with Engine.open(problem, inputs, BOTH, attack="x") as engine:
        at_once, in_turn = engine.gradient(inputs), InTurn(watched)(engine, inputs, 0.0)
    for name in inputs:
        assert torch.allclose(at_once.gradients[name], in_turn.gradients[name], atol=1e-7)
    assert torch.allclose(at_once.value, in_turn.value)
    assert torch.equal(at_once.judge(), in_turn.judge())
    assert alive == ["toy", "toy"]


class Kept:
    """A tensor that a graph keeps for its backward pass; knows how many there are, and were at most."""

    live = most = 0

    def __init__(self, tensor):
        self.tensor = tensor
        Kept.live += 1
        Kept.most = max(Kept.most, Kept.live)

    def __del__(self):
        Kept.live -= 1


def test_member_by_member_keeps_one_graph_at_a_time():
    members, inputs = maps()

    def most(attack, problem):
        Kept.most = Kept.live
        begin = Kept.live
        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            attack(problem, inputs, BOTH, steps=2)
        return Kept.most - begin

    alone = most(nifgsm, members[0])
    problem = EnsembleProblem(members, combine="loss")
    assert most(mifgsm, problem) >= 2 * alone
    assert most(nifgsm, problem) == alone


# Bad input


def test_what_does_not_fit():
    members, _ = maps()
    other = ClassProblem(lambda x: x["image"].flatten(1), torch.zeros(3, dtype=torch.long))
    cases = {
        r'no way "mean" to combine; pass one of logits, probabilities, loss': ([members[0]], {"combine": "mean"}),
        "an ensemble without members": ([], {}),
        "toy has inputs rgb, depth, but .* has image": ([members[0], other], {}),
        "1 weights for 2 members": (members, {"weights": (1.0,)}),
        "weights 0.5, 0.6 sum to 1.1": (members, {"weights": (0.5, 0.6)}),
        "weights -0.5, 1.5 sum to 1;": (members, {"weights": (-0.5, 1.5)}),
    }
    for message, (those, settings) in cases.items():
        with pytest.raises(UsageError, match=message):
            EnsembleProblem(those, **settings)


def test_outputs_that_cannot_be_combined():
    labels, x = torch.zeros(2, dtype=torch.long), {"image": rand(3, 2, 3, 2, 2)}
    few = ClassProblem(lambda x: x["image"].flatten(1)[:, :3], labels)
    with pytest.raises(UsageError, match=r'shapes \(2, 4\) and \(2, 3\); combine them by "loss"'):
        EnsembleProblem([classes(1, labels), few]).forward(x)
    with pytest.raises(UsageError, match="scores are no probabilities"):
        EnsembleProblem([gains(weights(2))] * 2, combine="probabilities").forward(middle(2))
