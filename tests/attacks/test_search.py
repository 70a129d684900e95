"""The smallest change: what the vectors mean, what is kept, who leaves."""

import pytest
import torch
from attacks_problems import gains, middle, weights

from rgbdsod.attacks import Budget, MapProblem, perturb
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.probes import Probes, all_of
from rgbdsod.attacks.search import Search
from rgbdsod.attacks.space import Space
from rgbdsod.attacks.turning import turning_point
from rgbdsod.errors import UsageError


def space(inputs, threat):
    with Engine.open(gains(weights(2)), inputs, threat, attack="test") as engine:
        return Space(engine.balls)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_vectors_there_and_back(norm):
    inputs = middle(2)
    radii = {"linf": (0.1, 0.4), "l2": (1.0, 4.0), "l1": (1.0, 4.0), "l0": (5, 20)}[norm]
    threat = {"rgb": Budget(norm, radii[0]), "depth": Budget(norm, radii[1])}
    vectors = space(inputs, threat)
    moved = {name: value + 0.01 for name, value in inputs.items()}
    back = vectors.split(vectors.join(moved))
    assert all(torch.allclose(back[name], moved[name]) for name in moved)
    settled = vectors.settle(vectors.clean)
    assert all(torch.equal(settled[name], inputs[name]) for name in inputs)


def test_a_change_counts_by_its_radius():
    """Depth may move four times as far, so a change of depth by 4 is as long as one of RGB by 1."""
    vectors = space(middle(1), {"rgb": Budget("linf", 0.1), "depth": Budget("linf", 0.4)})
    for name, change in (("rgb", 0.05), ("depth", 0.2)):
        moved = {**middle(1), name: middle(1)[name] + change}
        assert torch.allclose(vectors.length(vectors.join(moved)), torch.tensor(0.2, dtype=torch.float64))


def test_within_asks_each_input():
    vectors = space(middle(1), {"rgb": Budget("l2", 1.0), "depth": Budget("l2", 0.1)})
    for change, inside in ((0.01, True), (0.05, False)):
        moved = {**middle(1), "depth": middle(1)["depth"] + change}
        assert vectors.within(vectors.join(moved)).tolist() == [inside]


def test_mixed_norms():
    with pytest.raises(UsageError, match="needs one norm for them, not l1, l2"):
        space(middle(1), {"rgb": Budget("l2", 1.0), "depth": Budget("l1", 0.1)})


def test_nearest_is_kept_and_the_rest_comes_back_clean():
    w, inputs = weights(3), middle(3)
    problem = gains(w, threshold=0.05)
    threat = {"depth": Budget("l2", 0.3)}
    with Search.open(problem, inputs, threat, attack="test") as search:
        way = w["depth"].flatten(1)
        way = way / way.norm(dim=1, keepdim=True)
        for length in (0.29, 0.2, 0.28):
            search.evaluate(search.space.clean + length * way * torch.tensor([[1.0], [1.0], [0.0]]))
        result = search.result(3)
    assert result.fooled.tolist() == [True, True, False]
    assert torch.allclose(result.distance[:2], torch.tensor(0.2, dtype=torch.float64))
    assert result.distance[2] == torch.inf
    assert torch.equal(result.inputs["depth"][2], inputs["depth"][2])


def test_samples_that_are_done_leave():
    w, inputs = weights(4), middle(4)
    with Search.open(gains(w), inputs, {"depth": Budget("l2", 1.0)}, attack="test") as search:
        way = w["depth"].flatten(1)
        search.gradient(search.space.clean)
        (way,) = search.leave(torch.tensor([True, False, True, False]), way)
        assert search.rows.tolist() == [1, 3]
        search.gradient(search.space.clean + 0.1 * way)
        search.leave(torch.tensor([True, True]))
        assert len(search) == 0
        assert len(search.gradient(search.space.clean[:0]).gap) == 0
        result = search.result(2)
    assert result.fooled.tolist() == [False, True, False, True]
    assert result.forward.tolist() == [2, 3, 2, 3]
    assert result.backward.tolist() == [1, 2, 1, 2]


def blocks(samples):
    masks = torch.zeros(samples, 1, 16, 16)
    masks[..., 2:9, 3:10] = 1
    masks[::2, :, 4:14, 2:5] = 1
    return masks


RULES = ["iou<0.5", "iou<=0.3", "flipped>=0.99", "flipped>0.2"]


@pytest.mark.parametrize("rule", RULES)
def test_gap_turns_where_the_rule_does(rule):
    """The sign of the gap and the verdict agree on maps of every kind."""
    masks = blocks(64)
    generator = torch.Generator().manual_seed(3)
    share = torch.linspace(0, 1, 64).view(-1, 1, 1, 1)
    noise = torch.rand(64, 1, 16, 16, generator=generator)
    logits = torch.where(noise < share, -1.0, 1.0) * (2 * masks - 1) * noise.clamp_min(0.01)
    problem = MapProblem(lambda x: x["map"], masks, success=rule, inputs=("map",))
    gap = problem.gap(logits)
    assert torch.equal(gap <= 0, problem.fooled(logits))
    assert 0 < int(problem.fooled(logits).sum()) < 64


@pytest.mark.parametrize(("goal", "rule"), [("paint", "target-iou>=0.5"), ("paint", "iou<0.5"), ("hide", "iou<0.5")])
def test_gap_towards_a_target(goal, rule):
    masks = blocks(32)
    target = masks.roll(5, -1) if goal == "paint" else None
    aim = torch.zeros_like(masks) if target is None else target
    share = torch.linspace(0, 1, 32).view(-1, 1, 1, 1)
    drawn = torch.rand(32, 1, 16, 16, generator=torch.Generator().manual_seed(1)) < share
    logits = 2 * torch.where(drawn, aim, masks) - 1
    problem = MapProblem(lambda x: x["map"], masks, goal=goal, target=target, success=rule, inputs=("map",))
    assert torch.equal(problem.gap(logits) <= 0, problem.fooled(logits))
    assert 3 < int(problem.fooled(logits).sum()) < 30


def test_turning_point_is_the_mean_of_the_easiest():
    margin = torch.tensor([[3.0, 1.0, 2.0, -4.0]])
    ones = torch.ones_like(margin)
    assert turning_point(margin, ones, torch.tensor([3.0])).item() == pytest.approx((1 + 2) / 3)
    assert turning_point(margin, ones, torch.tensor([1.0])).item() == pytest.approx(-4)


@pytest.mark.parametrize("rows", [1, 7, 256])
def test_probes_answer_for_each_sample(rows):
    """However the queries are cut into passes, each is answered for its own sample and counted for it."""
    w, inputs = weights(3), middle(3)
    with Engine.open(gains(w), inputs, {"depth": Budget(eps=0.1)}, attack="test", knowledge="score") as engine:
        shift = torch.linspace(-0.1, 0.1, 5, dtype=torch.float64).view(1, 5, 1, 1, 1)
        points = {"depth": inputs["depth"][:, None] + shift}
        values, fooled = Probes(engine, rows).scores(all_of(points), 5)
        assert torch.equal(Probes(engine, rows).decisions(all_of(points), 5), fooled)
        assert engine.passes()[0].tolist() == [10, 10, 10]
    expected = shift.view(1, 5) * w["depth"].flatten(1).sum(1, keepdim=True)
    assert torch.allclose(values, expected)
    assert torch.equal(fooled, expected > 0)


@pytest.mark.parametrize(("knowledge", "text"), [("score", "gradients"), ("decision", "scores")])
def test_no_more_is_seen_than_was_said(knowledge, text):
    with Engine.open(gains(weights()), middle(), {"depth": Budget()}, attack="test", knowledge=knowledge) as engine:
        ask = engine.gradient if knowledge == "score" else engine.evaluate
        with pytest.raises(UsageError, match=f'"test" asked for {text}, but it is one that sees {knowledge}s only'):
            ask(engine.clean)


def test_stop_leaves_the_fooled_alone():
    """Samples that are fooled keep their first such point and spend no further pass."""
    w, inputs = weights(4), middle(4)
    threshold = torch.tensor([0.01, 0.02, 0.2, 9.0], dtype=torch.float64)
    result = perturb(
        gains(w, threshold), inputs, {"depth": Budget(eps=0.1)}, steps=12, step_size=0.002, stop=True, restarts=1
    )
    full = perturb(gains(w), inputs, {"depth": Budget(eps=0.1)}, steps=12, step_size=0.002)
    assert result.fooled[:2].all()
    assert not result.fooled[3]
    assert (result.loss[:2] < full.loss[:2]).all()
    assert torch.allclose(result.loss[3], full.loss[3])
    assert (result.forward[:2] < 13).all()
    assert result.forward[3] == 13
    assert result.trace.shape == full.trace.shape
