"""Attacks that see decisions only: how near they come to a known boundary, where they begin, what they may ask."""

import re

import pytest
import torch
from attacks_problems import gains, middle, toy, weights

from rgbdsod.attacks import Budget
from rgbdsod.attacks.blackbox.boundary import boundary
from rgbdsod.attacks.blackbox.frontier import bisections, to_frontier
from rgbdsod.attacks.blackbox.hopskipjump import hopskipjump
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError


def nearest(w, names, norm, gap):
    flat = torch.cat([w[name].flatten(1) for name in names], 1)
    return gap / flat.norm(1 if norm == "linf" else 2, dim=1)


def threat(norm, names=("depth",), **settings):
    return {name: Budget(norm, 1.0 if norm == "linf" else 50.0, **settings) for name in names}


@pytest.mark.parametrize(("norm", "most"), [("l2", 1.1), ("linf", 1.3)])
@pytest.mark.parametrize("names", [("depth",), ("rgb", "depth")])
def test_hopskipjump_near_the_boundary(norm, most, names):
    w, inputs = weights(3), middle(3)
    result = hopskipjump(gains(w, 0.3), inputs, threat(norm, names), queries=4000)
    best = nearest(w, names, norm, 0.3)
    audit(result.inputs, inputs, threat(norm, names))
    assert result.fooled.all()
    assert (result.distance >= best * (1 - 1e-6)).all()
    assert (result.distance <= most * best).all()
    assert (result.forward <= 4001).all()
    assert (result.backward == 0).all()


def test_boundary_walks_inwards():
    w, inputs = weights(3), middle(3)
    near, far = (boundary(gains(w, 0.3), inputs, threat("l2"), queries=queries) for queries in (1000, 100))
    best = nearest(w, ("depth",), "l2", 0.3)
    audit(near.inputs, inputs, threat("l2"))
    assert near.fooled.all()
    assert (near.distance < far.distance).all()
    assert (near.distance <= 1.6 * best).all()
    assert (near.forward <= 1001).all()


@pytest.mark.parametrize("attack", [hopskipjump, boundary])
def test_only_decisions_are_seen(attack):
    """Another scale of the score, with the same decisions, changes nothing on the way."""

    class Scaled(gains):
        def gap(self, outputs):
            self.asked.append(1)
            return super().gap(outputs)

        def loss(self, outputs, progress=0.0):
            raise AssertionError("the loss was asked for")

    w, inputs = weights(2), middle(2)
    problem = Scaled(w, 0.3)
    problem.asked = []
    result = attack(problem, inputs, threat("l2"), queries=200)
    assert result.fooled.all()
    assert len(problem.asked) == 1  # the verified result's own


def test_bisection_ends_on_the_fooled_side():
    w, inputs = weights(3), middle(3)
    way = w["depth"].sign().flatten(1)
    for norm in ("l2", "linf"):
        with Search.open(gains(w, 0.3), inputs, threat(norm), attack="test", knowledge="decision") as search:
            points = to_frontier(search, search.space.clean + 0.4 * way)
            finest = 0.5 ** bisections(search) * 0.4 * w["depth"].abs().flatten(1).sum(1)
        gained = ((points - 0.5) * w["depth"].flatten(1)).sum(1)
        assert (gained > 0.3).all()
        assert (gained <= 0.3 + finest + 1e-9).all()


@pytest.mark.parametrize("attack", [hopskipjump, boundary])
def test_a_start_that_was_given(attack):
    """Noise never reaches 95 % of what is possible; a start that does is taken, and what is not fooled fails."""
    w, inputs = weights(3), middle(3)
    most = 0.5 * w["depth"].abs().flatten(1).sum(1)
    problem = gains(w, 0.95 * most)
    corner = (0.5 + 0.5 * w["depth"].sign()).clamp(0, 1)
    start = {"depth": torch.where(torch.tensor([True, True, False]).view(3, 1, 1, 1), corner, 0.5)}
    result = attack(problem, inputs, threat("l2"), queries=400, start=start)
    assert result.fooled.tolist() == [True, True, False]
    assert torch.isinf(result.distance[2])
    assert torch.equal(result.inputs["depth"][2], inputs["depth"][2])
    assert result.forward[2] < 100
    assert not attack(problem, inputs, threat("l2"), queries=400).fooled.any()


@pytest.mark.parametrize("attack", [hopskipjump, boundary])
def test_who_is_fooled_already_asks_once(attack):
    w, inputs = weights(3), middle(3)
    threshold = torch.tensor([-0.1, 0.3, 0.3], dtype=torch.float64)
    result = attack(gains(w, threshold), inputs, threat("l2"), queries=300)
    assert result.fooled.all()
    assert result.distance[0] == 0
    assert result.forward[0] == 2  # one look, and one at the result
    assert (result.distance[1:] > 0).all()


@pytest.mark.parametrize("attack", [hopskipjump, boundary])
@pytest.mark.parametrize("queries", [1, 2, 10, 60])
def test_small_budgets_are_kept(attack, queries):
    w, inputs = weights(3), middle(3)
    result = attack(gains(w, 0.3), inputs, threat("l2"), queries=queries)
    assert (result.forward <= queries + 1).all()


@pytest.mark.parametrize("attack", [hopskipjump, boundary])
def test_masks_hold(attack):
    w, inputs = weights(2), middle(2)
    mask = torch.zeros(1, 1, 6, 5)
    mask[..., 1:] = 1
    budgets = threat("l2", ("rgb",), mask=mask)
    result = attack(gains(w, 0.3), inputs, budgets, queries=300)
    assert result.fooled.all()
    audit(result.inputs, inputs, budgets)
    assert torch.equal(result.inputs["rgb"][..., :1], inputs["rgb"][..., :1])


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (hopskipjump, {"queries": 0}, "--queries 0 is too few; pass 1 or more"),
        (hopskipjump, {"draws": 0}, "--draws 0 is too few; pass 1 or more"),
        (boundary, {"queries": -3}, "--queries -3 is too few; pass 1 or more"),
        (hopskipjump, {"start": {}}, 'start has nothing for input "depth"; pass values of shape (4, 1, 16, 16)'),
        (
            boundary,
            {"start": {"depth": torch.zeros(4, 1, 8, 8)}},
            'start has (4, 1, 8, 8) for input "depth"; pass values of shape (4, 1, 16, 16)',
        ),
    ],
)
def test_settings(attack, settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=re.escape(text)):
        attack(problem, inputs, threat("l2"), **settings)


@pytest.mark.parametrize("attack", [hopskipjump, boundary])
def test_alone_and_beside_others(attack):
    """Samples that need more tries for a start, or more halvings, take nothing from their neighbours."""
    w, inputs = weights(4), middle(4)
    threshold = torch.tensor([0.3, 0.9, -1.0, 0.05], dtype=torch.float64)
    problem, ids = gains(w, threshold), ["a", "b", "c", "d"]
    whole = attack(problem, inputs, threat("l2"), queries=350, sample_ids=ids)
    for at in (0, 1, 3):
        index = torch.tensor([at])
        part = {name: value[index] for name, value in inputs.items()}
        alone = attack(problem.select(index), part, threat("l2"), queries=350, sample_ids=[ids[at]])
        assert torch.allclose(alone.distance, whole.distance[index], rtol=1e-6)
        assert torch.equal(alone.forward, whole.forward[index])
    assert len(set(whole.forward.tolist())) > 2
