"""Gradients from scores: how near to the truth, how many queries, and what the attacks make of them."""

import re

import pytest
import torch
from attacks_problems import SHAPES, gains, middle, toy, weights

from rgbdsod.attacks import Budget, ScoreProblem
from rgbdsod.attacks.blackbox.differences import Differences, normal, signs
from rgbdsod.attacks.blackbox.nes import nes
from rgbdsod.attacks.blackbox.spsa import spsa
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.measure import audit
from rgbdsod.errors import UsageError

NEVER = 99.0
SIZE = sum(torch.Size(shape).numel() for shape in SHAPES.values())


def estimated(noise, draws, score="gap", names=tuple(SHAPES)):
    w, inputs = weights(3), middle(3)
    threat = {name: Budget(eps=0.1) for name in names}
    with Engine.open(gains(w, NEVER), inputs, threat, attack="test", knowledge="score") as engine:
        found = Differences(noise, draws, 0.01, score)(engine, engine.clean, 0.0)
        assert (engine.passes()[0] == draws + 1).all()
    return w, found


@pytest.mark.parametrize("noise", [normal, signs])
@pytest.mark.parametrize("score", ["gap", "objective"])
def test_cosine_with_the_truth(noise, score):
    """n random directions of d dimensions see a share n / (n + d) of the squared gradient."""
    w, found = estimated(noise, 400, score)
    true = torch.cat([w[name].flatten(1) for name in SHAPES], 1)
    guess = torch.cat([found.gradients[name].flatten(1) for name in SHAPES], 1)
    cosine = torch.cosine_similarity(true, guess)
    expected = (200 / (200 + SIZE)) ** 0.5
    assert (cosine - expected).abs().max() < 0.08
    assert (guess.norm(dim=1) / true.norm(dim=1) - 1 / expected).abs().max() < 0.2  # the mean has the right length


def test_one_input_does_not_bind_the_other():
    """The directions of an input are its own, whatever else is attacked."""
    one, both = (estimated(normal, 2, names=names)[1].gradients["rgb"] for names in (("rgb",), tuple(SHAPES)))
    assert (torch.cosine_similarity(one.flatten(1), both.flatten(1)).abs() > 1 - 1e-9).all()


def test_masked_values_have_no_gradient():
    mask = torch.zeros(1, 1, 6, 5)
    mask[..., 2:] = 1
    w, inputs = weights(2), middle(2)
    with Engine.open(gains(w), inputs, {"rgb": Budget(mask=mask)}, attack="test", knowledge="score") as engine:
        gradient = Differences(normal, 10, 0.01, "gap")(engine, engine.clean, 0.0).gradients["rgb"]
    assert not gradient[..., :2].any()
    assert gradient[..., 2:].all()


def test_the_model_is_asked_about_images_only():
    """Also beside values of 0 and 1."""
    seen = []

    def score(inputs):
        seen.append((float(inputs["image"].min()), float(inputs["image"].max())))
        return inputs["image"].flatten(1).sum(1)

    image = torch.tensor([[0.0, 1.0, 0.5]])
    nes(ScoreProblem(score, threshold=NEVER, inputs=("image",)), {"image": image}, {"image": Budget(eps=0.1)}, steps=2)
    assert min(low for low, _ in seen) == 0
    assert max(high for _, high in seen) == 1


@pytest.mark.parametrize(("attack", "per_step"), [(nes, 51), (spsa, 129)])
@pytest.mark.parametrize(("norm", "share"), [("linf", 0.85), ("l2", 0.8)])
def test_share_of_the_optimum(attack, per_step, norm, share):
    w, inputs = weights(3), middle(3)
    threat = {name: Budget(norm, 0.1) for name in SHAPES}
    result = attack(gains(w, NEVER), inputs, threat, steps=25)
    order = 1 if norm == "linf" else 2
    best = sum(0.1 * w[name].flatten(1).norm(order, dim=1) for name in SHAPES)
    audit(result.inputs, inputs, threat)
    assert (result.loss <= best + 1e-9).all()
    assert (result.loss >= share * best).all()
    assert (result.forward == 25 * per_step + 1).all()
    assert (result.backward == 0).all()


@pytest.mark.parametrize("attack", [nes, spsa])
def test_who_is_fooled_asks_no_more(attack):
    w, inputs = weights(3), middle(3)
    threshold = torch.tensor([0.2, 1.0, NEVER], dtype=torch.float64)
    result = attack(gains(w, threshold), inputs, {"rgb": Budget(eps=0.1)}, steps=12)
    assert result.fooled.tolist() == [True, True, False]
    assert result.forward[0] < result.forward[1] < result.forward[2]


@pytest.mark.parametrize("attack", [nes, spsa])
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"draws": 0}, "--draws 0 makes no pairs; pass an even number, 2 or more"),
        ({"draws": 5}, "--draws 5 makes no pairs"),
        ({"spread": 0.0}, "--spread 0 tells no difference; pass a distance above 0, for example 0.001"),
        ({"score": "logit"}, 'no score "logit"; it is one of gap, objective'),
    ],
)
def test_settings(attack, settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=re.escape(text)):
        attack(problem, inputs, {"rgb": Budget()}, **settings)
