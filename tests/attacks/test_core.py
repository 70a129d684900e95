"""What the loop promises of every attack: independence, honest counts, flags put back, nothing touched in vain."""

import pytest
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import scene, toy
from attacks_registry import ROWS, budgets, case, start_value
from torch import nn

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, apgd, fgsm, frozen, mifgsm, noise, perturb, pgd, rfgsm
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.rules import Ascent
from rgbdsod.errors import UsageError

RGB, DEPTH = {"rgb": Budget(eps=4 / 255)}, {"depth": Budget(eps=16 / 255)}
BOTH = {**RGB, **DEPTH}
IDS = ["a", "b", "c", "d"]


def pick(inputs, index):
    return {name: value[index] for name, value in inputs.items()}


@ROWS
def test_a_sample_alone_and_in_any_batch(row):
    problem, inputs = case(row, dtype=torch.float64)  # in float32 signs of gradients near 0 flip
    attack, threat = row.load(), budgets(row)
    whole = attack(problem, inputs, threat, sample_ids=IDS)
    for order in ([2], [3, 1, 0, 2]):
        index = torch.tensor(order)
        part = attack(problem.select(index), pick(inputs, index), threat, sample_ids=[IDS[at] for at in order])
        if row.aim == "nearest":  # hundreds of steps may end at another point of the same size
            assert torch.allclose(part.distance, whole.distance[index], rtol=1e-5)
            continue
        assert torch.allclose(part.loss, whole.loss[index], rtol=1e-5)
        for name in inputs:
            same = (part.inputs[name] - whole.inputs[name][index]).abs() < 1e-6
            assert same.double().mean() > 0.999
        assert torch.equal(part.fooled, whole.fooled[index])


@pytest.mark.parametrize("threat", [RGB, DEPTH], ids=["rgb", "depth"])
def test_partial_evaluation_equals_full_and_encodes_once(threat):
    problem, inputs = toy()
    network = problem.modules[0]
    attacked, kept = ("rgb", "depth") if "rgb" in threat else ("depth", "rgb")
    partial = pgd(problem, inputs, threat, steps=5, restarts=2)
    assert network.encoded == {attacked: 12, kept: 1}
    assert network.fused == 12
    masks = scene()[1]
    full = pgd(MapProblem(network.forward, masks, inputs=("rgb", "depth")), inputs, threat, steps=5, restarts=2)
    assert torch.equal(partial.loss, full.loss)
    assert torch.equal(partial.inputs[attacked], full.inputs[attacked])


def test_filled_in_problem_is_the_same_problem():
    problem, inputs = toy()
    filled = problem.given({"rgb": inputs["rgb"]})
    assert torch.equal(filled.forward({"depth": inputs["depth"]}), problem.forward(inputs))
    index = torch.tensor([2, 0, 2])
    part = filled.select(index).forward({"depth": inputs["depth"][index]})
    assert torch.allclose(part, problem.forward(inputs)[index], atol=1e-6)


@ROWS
def test_untouched_input_is_the_callers_own(row):
    problem, inputs = case(row)
    before = {name: value.clone() for name, value in inputs.items()}
    result = row.load()(problem, inputs, budgets(row, ("depth",)))
    assert result.inputs["rgb"] is inputs["rgb"]
    assert all(torch.equal(inputs[name], before[name]) for name in inputs)


@ROWS
def test_zero_radius_returns_the_clean_point(row):
    problem, inputs = case(row)
    clean, norm = start_value(row, problem, inputs), row.norms[0]
    for threat in (
        {},
        {"depth": Budget(norm, 0.0)},
        {"depth": Budget(norm, torch.zeros(1, 1, 1, 1)), "rgb": Budget(norm, 0.0)},
    ):
        result = row.load()(problem, inputs, threat)
        assert all(torch.equal(result.inputs[name], inputs[name]) for name in inputs)
        assert torch.allclose(result.loss, clean)


def test_nobody_is_left_for_a_second_restart():
    problem, inputs = toy(success="iou<1")
    assert problem.fooled(problem.forward(inputs)).all()
    result = pgd(problem, inputs, RGB, steps=3, restarts=2, stop=True)
    assert result.fooled.all()
    assert result.trace.shape == (2, 1, 4)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_zero_radius_is_exact_in_every_norm(norm):
    problem, inputs = toy()
    radius = torch.zeros(4, 1, 1, 1)
    result = pgd(problem, inputs, {"rgb": Budget(norm, radius)}, steps=3, step_size=0.1)
    assert torch.equal(result.inputs["rgb"], inputs["rgb"])


class Counted(MapProblem):
    """Counts calls behind the engine's back."""

    calls = 0

    def forward(self, inputs):
        Counted.calls += 1
        return super().forward(inputs)


@pytest.mark.parametrize(
    ("attack", "settings", "forward", "backward"),
    [
        (fgsm, {}, 2, 1),
        (rfgsm, {}, 2, 1),
        (pgd, {"steps": 7}, 8, 7),
        (pgd, {"steps": 7, "restarts": 3}, 24, 21),
        (pgd, {"steps": 7, "keep": "last"}, 8, 7),
        (pgd, {"steps": 7, "keep": "unseen"}, 7, 7),
        (pgd, {"steps": 0}, 1, 0),
        (mifgsm, {"steps": 4}, 5, 4),
        (noise, {"draws": 6}, 6, 0),
    ],
)
def test_passes(attack, settings, forward, backward, monkeypatch):
    inputs, masks = scene()
    gradients, grad = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: gradients.append(1) or grad(*a, **k))
    Counted.calls = 0
    result = attack(Counted(seeded(Saliency()), masks), inputs, BOTH, **settings)
    assert (Counted.calls, len(gradients)) == (forward, backward)
    assert result.forward.tolist() == [forward] * 4
    assert result.backward.tolist() == [backward] * 4
    assert torch.equal(result.queries, result.forward)


class Touchy(nn.Module):
    """Batch norm and dropout: every flag matters, and the third call may fail."""

    inputs = ("rgb", "depth")

    def __init__(self, failing: bool = False) -> None:
        super().__init__()
        self.norm, self.drop, self.out = nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 1, 1)
        self.failing, self.calls = failing, 0

    def forward(self, inputs):
        self.calls += 1
        if self.failing and self.calls == 3:
            raise RuntimeError("lost the device")
        assert not any(part.training for part in self.modules())
        assert not any(weight.requires_grad for weight in self.parameters())
        return self.out(self.drop(self.norm(torch.cat([inputs["rgb"], inputs["depth"]], dim=1))))


@pytest.mark.parametrize("failing", [False, True])
def test_flags_are_put_back_one_by_one(failing):
    inputs, masks = scene()
    network = Touchy(failing)
    network.train()
    network.norm.eval()
    network.norm.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    if failing:
        with pytest.raises(RuntimeError, match="lost the device"):
            pgd(MapProblem(network, masks), inputs, BOTH, steps=4)
    else:
        pgd(MapProblem(network, masks), inputs, BOTH, steps=4)
    assert {name: part.training for name, part in network.named_modules()} == {
        "": True,
        "norm": False,
        "drop": True,
        "out": True,
    }
    assert [name for name, weight in network.named_parameters() if not weight.requires_grad] == ["norm.bias"]
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_gradients_of_a_training_step_stay():
    """An attack inside a training step neither clears nor adds to what is in `.grad`."""
    inputs, masks = scene()
    network = seeded(Saliency())
    network(inputs).mean().backward()
    before = [weight.grad.clone() for weight in network.parameters()]
    pgd(MapProblem(network, masks), inputs, BOTH, steps=3)
    assert all(torch.equal(weight.grad, old) for weight, old in zip(network.parameters(), before, strict=True))


def test_frozen_holds_several_modules():
    first, second = nn.Dropout(), nn.Linear(2, 2).eval()
    with frozen(first, second):
        assert not first.training
        assert not second.weight.requires_grad
    assert first.training
    assert not second.training
    assert second.weight.requires_grad


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_inside_no_grad_and_inference_mode(guard):
    problem, inputs = toy()
    outside = pgd(problem, inputs, BOTH, steps=3)
    with guard():
        inside = pgd(problem, pick(inputs, slice(None)), BOTH, steps=3)
    assert torch.equal(inside.inputs["rgb"], outside.inputs["rgb"])
    assert not inside.inputs["rgb"].requires_grad


def test_inputs_with_a_graph_are_left_alone():
    problem, inputs = toy()
    leaf = inputs["rgb"].clone().requires_grad_()
    result = pgd(problem, {**inputs, "rgb": leaf * 1.0}, BOTH, steps=2)
    assert leaf.grad is None
    assert not result.inputs["rgb"].requires_grad


def test_best_is_read_from_the_passes_made():
    """Steps far too long jump about: the best point beats the last, and its value is what the model says of it."""
    problem, inputs = toy(objective="margin")
    settings = {"steps": 9, "step_size": 0.3, "random_start": False}
    best, last = (pgd(problem, inputs, {"rgb": Budget(eps=0.15)}, keep=keep, **settings) for keep in ("best", "last"))
    assert torch.equal(best.trace, last.trace)
    assert torch.equal(best.loss, best.trace[0].amax(0))
    assert torch.equal(last.loss, last.trace[0, -1])
    assert torch.allclose(problem.loss(problem.forward(best.inputs)), best.loss, rtol=1e-5)
    assert best.trace.shape == (1, 10, 4)
    assert torch.equal(best.start_loss, best.trace[0, 0])


def test_restarts_and_steps_never_hurt():
    problem, inputs = toy()
    losses = [pgd(problem, inputs, BOTH, steps=4, restarts=count, step_size=0.05).loss for count in (1, 2, 5)]
    assert (losses[1] >= losses[0]).all()
    assert (losses[2] >= losses[1]).all()
    assert (losses[2] > losses[0]).any()
    longer = [pgd(problem, inputs, BOTH, steps=steps, step_size=0.02).loss for steps in (3, 6, 12)]
    assert (longer[1] >= longer[0]).all()
    assert (longer[2] >= longer[1]).all()


def test_unseen_is_the_last_point_for_one_forward_less():
    problem, inputs = toy()
    seen, unseen = (pgd(problem, inputs, BOTH, steps=3, keep=keep) for keep in ("last", "unseen"))
    assert torch.equal(seen.inputs["rgb"], unseen.inputs["rgb"])
    assert unseen.loss.isnan().all()
    assert torch.equal(seen.start_loss, unseen.start_loss)


def test_callback_counts_to_the_end():
    problem, inputs = toy()
    told = []
    pgd(problem, inputs, BOTH, steps=3, restarts=2, callback=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(1, 9)]


def test_no_question_to_the_device_inside_the_loop(monkeypatch):
    """Asking for a number stops a GPU; the loop must not ask."""
    problem, inputs = toy()
    asked = []

    def loudly(name):
        ask = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda self, *a: asked.append(name) or ask(self, *a))

    for name in ("item", "__bool__", "__float__", "__int__", "tolist", "nonzero"):
        loudly(name)
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
    counts = {}
    for steps in (2, 12):
        for norm in ("linf", "l2", "l1", "l0"):
            asked.clear()
            mask = torch.ones(1, 1, 16, 16)
            pgd(problem, inputs, {"rgb": Budget(norm, 1, mask=mask)}, steps=steps, step_size=0.1)
            counts.setdefault(norm, set()).add(len(asked))
    assert all(len(found) == 1 for found in counts.values()), counts


def test_half_precision_network_full_precision_result():
    problem, inputs = toy()
    full = pgd(problem, inputs, BOTH, steps=6)
    half = pgd(problem, inputs, BOTH, steps=6, precision="bfloat16")
    assert half.inputs["rgb"].dtype == half.loss.dtype == torch.float32
    assert torch.allclose(half.loss, problem.loss(problem.forward(half.inputs)), rtol=1e-5)
    assert (half.loss > 0.9 * full.loss).all()
    assert (half.forward == full.forward + 1).all()
    network = problem.modules[0]
    assert all(weight.dtype == torch.float32 for weight in network.parameters())


def test_float64_stays_and_half_inputs_become_float32():
    problem, inputs = toy()
    network = problem.modules[0].double()
    double = {name: value.double() for name, value in inputs.items()}
    assert pgd(problem, double, BOTH, steps=2).inputs["rgb"].dtype == torch.float64
    network.float()
    half = {name: value.half() for name, value in inputs.items()}
    result = pgd(problem, half, RGB, steps=2)
    assert result.inputs["rgb"].dtype == torch.float32
    assert result.inputs["depth"] is half["depth"]


def test_a_zero_gradient_does_not_freeze_momentum():
    """The first two steps see no gradient; 0/0 would leave NaN in the memory for good."""

    class Late(MapProblem):
        seen = 0

        def loss(self, outputs, progress=0.0):
            Late.seen += 1
            return super().loss(outputs, progress) * (Late.seen > 2)

    inputs, masks = scene()
    result = mifgsm(Late(seeded(Saliency()), masks), inputs, BOTH, steps=6, keep="last")
    assert all(torch.isfinite(value).all() for value in result.inputs.values())
    assert (result.inputs["rgb"] != inputs["rgb"]).any()


@pytest.mark.parametrize("norm", ["l2", "l1", "l0"])
def test_tiny_gradients_give_full_steps(norm):
    """A confident sample's gradient of 1e-30 has a square of 0 in float32; its direction still has length 1."""
    from rgbdsod.attacks.norms import ball, length

    limits = ball(torch.full((2, 3, 4, 4), 0.5), Budget(norm, 1))
    gradient = torch.stack([torch.full((3, 4, 4), 1e-30), torch.zeros(3, 4, 4)])
    direction = limits.direction(gradient, limits.clean)
    size = length(direction, Budget("l2" if norm == "l2" else "l1", 1.0))
    assert size.tolist() == pytest.approx([1, 0])


def test_rules_can_look_ahead_and_estimators_can_replace_the_gradient():
    """Points that were not evaluated themselves are not candidates; copies in the batch count as so many passes."""
    from dataclasses import replace

    class Ahead(Ascent):
        def look(self, points):
            return {name: value + 0.01 for name, value in points.items()}

    def doubled(engine, points, progress):
        copies = engine.part(torch.arange(4).repeat(2))
        twice = copies.gradient({name: value.repeat(2, 1, 1, 1) for name, value in points.items()}, progress)
        gradients = {name: value[:4] + value[4:] for name, value in twice.gradients.items()}
        return replace(twice, value=twice.value[:4], judge=lambda: twice.judge()[:4], gradients=gradients)

    problem, inputs = toy()
    ahead = perturb(problem, inputs, BOTH, steps=3, rule=Ahead)
    assert torch.equal(ahead.loss, ahead.trace[0, -1])
    plain, copies = perturb(problem, inputs, BOTH, steps=3), perturb(problem, inputs, BOTH, steps=3, estimate=doubled)
    assert copies.forward.tolist() == [7] * 4
    assert copies.backward.tolist() == [6] * 4
    assert torch.allclose(plain.loss, copies.loss, rtol=1e-4)


def test_classes_without_labels_in_the_problem_keep_their_shape():
    """Square or not, one channel or three: any tensor of at least two dimensions is an input."""
    network = nn.Linear(6, 4)
    problem = ClassProblem(lambda x: network(x["image"]), torch.tensor([0, 1]), modules=(network,))
    inputs = {"image": torch.full((2, 6), 0.5)}
    for norm in ("linf", "l2", "l1"):
        result = pgd(problem, inputs, {"image": Budget(norm, 0.2)}, steps=5)
        assert (result.loss >= result.start_loss).all()


def test_samples_that_are_done_leave_the_engine():
    """Passes of a part count for its samples alone; its balls and random numbers are theirs."""
    problem, inputs = toy()
    radius = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(-1, 1, 1, 1)
    threat = {"rgb": Budget(eps=radius)}
    with Engine.open(problem, inputs, threat, attack="pgd", sample_ids=IDS) as engine:
        whole = engine.gradient(engine.clean)
        left = engine.part(torch.tensor([3, 1]))
        part = left.gradient(left.clean)
        left.evaluate(left.clean)
        assert torch.allclose(part.gradients["rgb"], whole.gradients["rgb"][[3, 1]], atol=1e-6)
        assert torch.equal(left.balls["rgb"].upper, engine.balls["rgb"].upper[[3, 1]])
        start, all_starts = (e.balls["rgb"].start(e.streams(0, "rgb")) for e in (left, engine))
        assert torch.equal(start, all_starts[[3, 1]])
        assert [passes.tolist() for passes in engine.passes()] == [[1, 3, 1, 3], [1, 2, 1, 2]]
    assert problem.modules[0].encoded["depth"] == 1


def test_several_gradients_of_one_pass():
    """What linearising attacks need: outputs once, then one backward pass for each decision."""
    network = nn.Linear(6, 3)
    problem = ClassProblem(lambda x: network(x["image"]), torch.tensor([0, 1]), modules=(network,))
    with Engine.open(problem, {"image": torch.full((2, 6), 0.5)}, {"image": Budget()}, attack="fab") as engine:
        leaf = {"image": engine.clean["image"].clone().requires_grad_()}
        margins = engine.problem.margins(engine.forward(leaf))
        rows = [engine.pull(margins[:, k].clamp(max=1e3), leaf, again=k < 2)["image"] for k in range(3)]
        assert torch.allclose(rows[2][0], network.weight[0] - network.weight[2])
        assert torch.allclose(rows[0][1], network.weight[1] - network.weight[0])
        assert [passes.tolist() for passes in engine.passes()] == [[1, 1], [3, 3]]


def test_another_aim_for_the_gradient_leaves_the_ranking():
    problem, inputs = toy()
    with Engine.open(problem, inputs, BOTH, attack="rosa", eot=2) as engine:
        plain = engine.gradient(engine.clean)
        other = engine.gradient(engine.clean, aim=lambda logits: -3 * problem.loss(logits))
    assert torch.equal(other.value, plain.value)
    for name, gradient in plain.gradients.items():
        assert torch.allclose(other.gradients[name], -3 * gradient, atol=1e-6)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_stopping_where_nothing_on_the_way_may_be_the_result(keep):
    """Paths that look ahead, or return where they end, have no candidate before their end."""

    class Ahead(Ascent):
        def look(self, points):
            return dict(points)

    problem, inputs = toy(success="iou<0.9")
    result = perturb(problem, inputs, BOTH, steps=4, rule=Ahead, keep=keep, stop=True)
    plain = perturb(problem, inputs, BOTH, steps=4, rule=Ahead, keep=keep)
    assert torch.equal(result.inputs["rgb"], plain.inputs["rgb"])


def test_restarts_of_those_that_still_stand():
    """Samples that an earlier start fooled are not started again; they keep that point and its value."""
    network = nn.Linear(6, 2)
    nn.init.constant_(network.bias, 0.0)
    network.bias.data[0] = 100.0
    problem = ClassProblem(lambda x: network(x["image"]), torch.tensor([1, 0, 1]), modules=(network,))
    x = {"image": torch.full((3, 6), 0.5)}
    result = noise(problem, x, {"image": Budget()}, draws=3, stop=True)
    assert result.fooled.tolist() == [True, False, True]
    assert result.forward.tolist() == [1, 3, 1]
    assert torch.equal(result.trace[0, -1, 0], result.trace[2, -1, 0])


@pytest.mark.parametrize("attack", [pgd, apgd, mifgsm])
def test_beginning_at_given_points_inside_the_budget(attack):
    problem, inputs = toy()
    first = attack(problem, inputs, BOTH, steps=3)
    onward = attack(problem, inputs, BOTH, steps=3, begin=first.inputs)
    assert torch.allclose(onward.start_loss, first.loss, rtol=1e-5)
    assert bool((onward.loss >= first.loss * (1 - 1e-6)).all())
    far = pgd(problem, inputs, DEPTH, steps=1, begin={"depth": torch.ones_like(inputs["depth"])})
    assert float((far.inputs["depth"] - inputs["depth"]).abs().max()) <= 16 / 255 + 1e-6
    with pytest.raises(UsageError, match="begin: depth of shape"):
        pgd(problem, inputs, DEPTH, begin={"depth": inputs["depth"][:1]})
