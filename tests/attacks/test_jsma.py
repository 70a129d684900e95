"""Sparse attacks by saliency maps: the published one beside the reference, the dense one on known optima."""

import pytest
import torch
from attacks_networks import Classifier, Saliency, filled, seeded
from attacks_problems import gains, middle, scene, weights

from rgbdsod.attacks import Budget, ClassProblem, MapProblem
from rgbdsod.attacks.sparse.dense import dense_jsma
from rgbdsod.attacks.sparse.jsma import best_pair, jsma
from rgbdsod.errors import UsageError


def test_beside_the_reference(shared, golden):
    """As many successes, with at most as many changed values; on logits, theta 1, up to 10 % of the values."""
    image = golden["cls_x"].double()
    targets = golden["cls_target"].long()
    problem = ClassProblem(filled(Classifier(), shared), targets, targeted=True)
    result = jsma(problem, {"image": image}, {"image": Budget("l0", 432, unit="value")}, share=0.1)
    theirs = golden["jsma_targeted_success"].bool()
    changed = (golden["jsma_targeted"] != golden["cls_x"]).flatten(1).sum(1)
    assert torch.equal(result.fooled, theirs)
    assert (result.distance[theirs] <= changed[theirs] + 2).all()


def test_best_pair_is_the_best_of_all_pairs():
    generator = torch.Generator().manual_seed(2)
    rising, falling = torch.randn(2, 5, 40, generator=generator)
    movable = torch.rand(5, 40, generator=generator) < 0.8
    pair, found = best_pair(rising, falling, movable, 40)
    assert found.all()
    for row in range(5):
        best = max(
            -(rising[row, i] + rising[row, j]) * (falling[row, i] + falling[row, j])
            for i in range(40)
            for j in range(i)
            if movable[row, i] and movable[row, j] and rising[row, i] + rising[row, j] > 0
            and falling[row, i] + falling[row, j] < 0
        )  # fmt: skip
        i, j = pair[row]
        assert i != j
        assert -(rising[row, i] + rising[row, j]) * (falling[row, i] + falling[row, j]) == pytest.approx(best)


def test_no_pair():
    _, found = best_pair(-torch.ones(1, 4), torch.ones(1, 4), torch.ones(1, 4, dtype=torch.bool), 4)
    assert not found


def test_dense_takes_the_heaviest_pixels_of_a_linear_model():
    """The fewest pixels whose weights exceed the threshold: the optimum is known."""
    w, inputs = weights(3), middle(3)
    heaviest = (0.5 * w["depth"].abs()).flatten(1).sort(descending=True).values
    threshold = heaviest[:, :4].sum(1) - 1e-6
    threat = {"depth": Budget("l0", 30)}
    result = dense_jsma(gains(w, threshold), inputs, threat, share=1.0)
    assert result.fooled.all()
    assert result.distance.tolist() == [4, 4, 4]
    assert (result.forward <= 6).all()


def test_dense_respects_each_inputs_budget():
    w, inputs = weights(3), middle(3)
    threat = {"rgb": Budget("l0", 2), "depth": Budget("l0", 5)}
    best = (0.5 * w["rgb"].abs().sum(1)).flatten(1).topk(2).values.sum(1)
    best += (0.5 * w["depth"].abs()).flatten(1).topk(5).values.sum(1)
    result = dense_jsma(gains(w, best - 1e-6), inputs, threat, share=1.0)
    assert result.fooled.all()
    unreachable = dense_jsma(gains(w, best + 1e-6), inputs, threat, share=1.0)
    assert not unreachable.fooled.any()
    assert torch.equal(unreachable.inputs["depth"], inputs["depth"])


@pytest.mark.parametrize("goal", ["hide", "untargeted"])
def test_dense_on_maps(goal):
    inputs, masks = scene()
    problem = MapProblem(seeded(Saliency()), masks, goal=goal)
    result = dense_jsma(problem, inputs, {"rgb": Budget("l0", 200), "depth": Budget("l0", 200)}, share=1.0)
    assert result.fooled.all()
    assert (result.distance < 200).all()


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (jsma, {"theta": 0.0}, "--theta 0 changes nothing"),
        (jsma, {"share": 0.0}, "--share 0 is no part of the values"),
        (jsma, {"candidates": 1}, "--candidates 1 makes no pair"),
        (dense_jsma, {"theta": 2.0}, "--theta 2 is out of range"),
        (dense_jsma, {"per_step": 0.0}, "--per-step 0 is out of range"),
    ],
)
def test_settings(attack, settings, text):
    with pytest.raises(UsageError, match=text):
        attack(gains(weights()), middle(), {"depth": Budget("l0", 4)}, **settings)


def test_maps_are_told_which_attack_fits():
    inputs, masks = scene()
    with pytest.raises(UsageError, match='toy has no class scores; use attack "jsma-dense"'):
        jsma(MapProblem(seeded(Saliency()), masks), inputs, {"rgb": Budget("l0", 10)})
