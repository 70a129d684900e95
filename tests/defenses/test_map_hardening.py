"""Adversarial training of map networks: known answers of each method, and what each buys."""

import pytest
import torch
from defenses_step import batch, loss, small, step
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence

from rgbdsod.attacks import Budget, MapProblem, pgd
from rgbdsod.defenses import (
    MAP_HARDENINGS,
    AdversarialTraining,
    FastTraining,
    FreeTraining,
    MapHardening,
    Trades,
    attention_distance,
    bernoulli_kl,
    cross_modal_attention,
    feature_distance,
    map_hardening,
)
from rgbdsod.defenses.training.divergence import FromClean, clean_logits
from rgbdsod.defenses.training.fast import overfitted
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.training_step import Memory

EPS = 0.06
BOTH = {"rgb": Budget(eps=EPS), "depth": Budget(eps=EPS)}
NONE = {"rgb": Budget(eps=0.0), "depth": Budget(eps=0.0)}


def _clean(model: SaliencyModel) -> Tensor:
    images = batch(0)
    return loss(model.outputs(images), images["mask"])


def _trained(method: MapHardening | None, steps: int = 150) -> SaliencyModel:
    model, memory = small(), Memory()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for number in range(steps):
        now = step(model, number, memory, data=number // (method.replays if method else 1))
        losses = now.loss(now.outputs(now.inputs)) if method is None else method.losses(now)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
    return model.eval()


def _robust_iou(model: SaliencyModel) -> float:
    images = batch(10_000, count=16)
    inputs = {name: images[name] for name in ("rgb", "depth")}
    moved = pgd(MapProblem(model, images["mask"]), inputs, BOTH, steps=20, restarts=2).inputs
    shown, truth = model(**moved) > 0, images["mask"] > 0.5
    return float((shown & truth).sum() / (shown | truth).sum())


@pytest.fixture(scope="module")
def clean_iou() -> float:
    return _robust_iou(_trained(None))


@pytest.mark.parametrize(
    "method",
    [AdversarialTraining(BOTH, 3), Trades(BOTH, 3, beta=3.0), FreeTraining(BOTH, 3), FastTraining(BOTH)],
    ids=lambda method: type(method).__name__,
)
def test_every_method_withstands_pgd_better_than_clean_training(method: MapHardening, clean_iou: float) -> None:
    assert _robust_iou(_trained(method)) > clean_iou + 0.15


def test_trades_with_beta_0_is_clean_training() -> None:
    model = small()
    assert torch.equal(Trades(BOTH, beta=0.0).losses(step(model)), _clean(model))


def test_trades_adds_the_weighted_divergence_of_the_attacked_map() -> None:
    model = small()
    losses = [Trades(BOTH, 2, beta=beta).losses(step(model)) for beta in (0.0, 1.0, 3.0)]
    assert (losses[1] > losses[0]).all()
    torch.testing.assert_close(losses[2] - losses[0], 3 * (losses[1] - losses[0]))


def test_the_divergence_is_that_of_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    true, other = (torch.randn(3, 1, 5, 7, generator=generator) * 4 for _ in range(2))
    expected = kl_divergence(Bernoulli(logits=true), Bernoulli(logits=other)).mean((1, 2, 3))
    torch.testing.assert_close(bernoulli_kl(true, other), expected)
    assert bernoulli_kl(true, true).abs().max() < 1e-6


def test_the_attack_of_trades_raises_the_divergence_and_knows_its_samples() -> None:
    model, images = small(), batch(0)
    inputs = {name: images[name] for name in ("rgb", "depth")}
    clean = clean_logits(model, inputs, (24, 24))
    problem = FromClean(model, clean)
    found = pgd(problem, inputs, BOTH, steps=3)
    assert (found.loss > found.start_loss).all() and model.training
    index = torch.tensor([3, 0])
    part = {name: value[index] for name, value in found.inputs.items()}
    whole = problem.loss(problem.forward(found.inputs))[index]
    chosen = problem.select(index)
    torch.testing.assert_close(chosen.loss(chosen.forward(part)), whole)


def test_free_with_one_replay_and_no_radius_is_clean_training() -> None:
    model = small()
    assert torch.equal(FreeTraining(NONE, 1).losses(step(model)), _clean(model))


def test_one_backward_pass_of_free_gives_the_gradients_of_weights_and_inputs() -> None:
    model, memory, images = small(), Memory(), batch(0)
    method = FreeTraining(BOTH, 2)
    method.losses(step(model, 0, memory)).mean().backward()
    leaves = {name: images[name].clone().requires_grad_() for name in ("rgb", "depth")}
    expected = torch.autograd.grad(loss(model.outputs(leaves), images["mask"]).mean(), list(leaves.values()))
    for (name, leaf), gradient in zip(leaves.items(), expected, strict=True):
        change = (leaf.detach() + EPS * gradient.sign()).clamp(0, 1) - leaf.detach()
        torch.testing.assert_close(memory[name], change)
    assert all(weight.grad is not None for weight in model.parameters())
    again = step(model, 1, memory, data=0)
    method.losses(again)
    assert again.learned is not None
    torch.testing.assert_close(again.learned[0]["depth"], images["depth"] + memory["depth"])


def test_free_carries_its_change_over_to_the_next_batch() -> None:
    """Algorithm 1 begins at 0 once, not with every batch."""
    model, memory = small(), Memory()
    method = FreeTraining(BOTH, 2)
    for number in range(2):
        method.losses(step(model, number, memory, data=0)).mean().backward()
    before, now = {name: value.clone() for name, value in memory.items()}, step(model, 2, memory, data=1)
    method.losses(now)
    assert now.learned is not None
    for name, change in before.items():
        assert 0 < change.abs().max() <= EPS + 1e-6
        torch.testing.assert_close(now.learned[0][name], (now.inputs[name] + change).clamp(0, 1))
    other = step(model, 3, memory)
    other.inputs = {name: value[:5] for name, value in other.inputs.items()}
    other.masks = other.masks[:5]
    method.losses(other)
    assert other.learned is not None and torch.equal(other.learned[0]["rgb"], other.inputs["rgb"])


def _climbed(model: SaliencyModel, images: dict[str, Tensor], length: float, steps: int) -> dict[str, Tensor]:
    """Steps along the sign of the gradient from a uniform start, each clipped to the radius and to [0, 1]."""
    inputs = {name: images[name] for name in BOTH}
    ids = [str(row) for row in range(len(images["mask"]))]
    points = AdversarialTraining(BOTH, 1, step_size=1e-12)(model, inputs, images["mask"], seed=0, sample_ids=ids)
    start = {name: points[name] - inputs[name] for name in BOTH}
    assert all(change.abs().max() <= EPS + 1e-6 and change.abs().mean() > 0.4 * EPS for change in start.values())
    for _ in range(steps):
        leaves = {name: point.detach().clone().requires_grad_() for name, point in points.items()}
        total = loss(model.outputs(leaves), images["mask"]).sum()
        for name, gradient in zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True):
            moved = leaves[name].detach() + length * gradient.sign()
            points[name] = (inputs[name] + (moved - inputs[name]).clamp(-EPS, EPS)).clamp(0, 1)
    return points


@pytest.mark.parametrize(
    ("method", "length", "steps"),
    [(AdversarialTraining(BOTH, 3, step_size=EPS / 4), EPS / 4, 3), (FastTraining(BOTH), 1.25 * EPS, 1)],
    ids=["pgd", "fast"],
)
def test_pgd_and_fast_learn_from_the_points_of_their_papers(method: MapHardening, length: float, steps: int) -> None:
    """Equation 2 of Madry et al. by projected steps; algorithm 3 of Wong et al., whose step is longer than the ball."""
    model, now = small(), step(small())
    found, wanted = method.losses(now), _climbed(model, batch(0), length, steps)
    assert now.learned is not None
    for name in BOTH:
        torch.testing.assert_close(now.learned[0][name], wanted[name], atol=1e-6, rtol=0)
    torch.testing.assert_close(found, loss(model.outputs(wanted), batch(0)["mask"]))


def test_the_divergence_of_trades_is_from_the_clean_map_to_the_attacked_one() -> None:
    model, now = small(), step(small())
    found = Trades(BOTH, 2, beta=1.0).losses(now)
    assert now.learned is not None
    clean, attacked = (model.outputs(inputs)["final"] for inputs in (now.inputs, now.learned[0]))
    expected = kl_divergence(Bernoulli(logits=clean), Bernoulli(logits=attacked)).mean((1, 2, 3))
    torch.testing.assert_close(found, _clean(model) + expected)
    found.sum().backward()
    expected_gradient = torch.autograd.grad((_clean(model) + expected).sum(), model.network.say.weight)[0]
    torch.testing.assert_close(now.model.network.say.weight.grad, expected_gradient, atol=1e-5, rtol=1e-4)


def test_fast_is_pgd_of_one_step_of_that_length() -> None:
    model = small()
    same = AdversarialTraining(BOTH, 1, step_size=2 * EPS)
    assert torch.equal(FastTraining(BOTH, alpha=2.0).losses(step(model)), same.losses(step(model)))


def test_the_worst_source_is_at_least_as_bad_as_each() -> None:
    model = _trained(None, 40)
    images = batch(77)
    inputs = {name: images[name] for name in ("rgb", "depth")}
    problem, seeds = MapProblem(model, images["mask"]), {"seed": 0, "sample_ids": [str(i) for i in range(8)]}
    threat = {"rgb": Budget(eps=0.02), "depth": Budget(eps=0.05)}

    def hurt(how: AdversarialTraining) -> tuple[Tensor, dict[str, Tensor]]:
        moved = how.move(problem, inputs, **seeds)
        with torch.no_grad():
            return problem.loss(problem.forward(moved)), moved

    worst, moved = hurt(AdversarialTraining(threat, 4, sources="worst"))
    each = [hurt(AdversarialTraining({name: budget}, 4))[0] for name, budget in threat.items()]
    assert all((worst >= value - 1e-6).all() for value in each)
    changed = [(moved[name] != inputs[name]).flatten(1).any(1) for name in threat]
    assert (changed[0] ^ changed[1]).all(), "one input of each sample has moved"


def test_sources_take_turns() -> None:
    model, turns = small(), AdversarialTraining(BOTH, 1, sources="alternate")
    for number, name in enumerate(("rgb", "depth", "rgb")):
        now = step(model, number)
        turns.losses(now)
        assert now.learned is not None
        assert [key for key in BOTH if not torch.equal(now.learned[0][key], now.inputs[key])] == [name]
        moved = turns(model, now.inputs, now.masks, seed=0, sample_ids=now.sample_ids, number=number)
        assert [key for key in BOTH if not torch.equal(moved[key], now.inputs[key])] == [name]


def test_passes_are_those_of_the_network() -> None:
    model, counted = small(), {"forward": 0, "backward": 0}
    model.network.look.register_forward_hook(lambda *_: counted.update(forward=counted["forward"] + 1))
    model.network.say.register_full_backward_hook(lambda *_: counted.update(backward=counted["backward"] + 1))
    for name, sources in [(row.name, "joint") for row in MAP_HARDENINGS] + [("pgd", "worst"), ("trades", "worst")]:
        counted.update(forward=0, backward=0)
        method = map_hardening(name, BOTH, sources=sources)
        method.losses(step(model)).mean().backward()
        assert (counted["forward"], counted["backward"]) == method.passes, (name, sources)


def test_catastrophic_overfitting_is_seen() -> None:
    calm = {"watch_clean": 0.1, "watch_fgsm": 0.9, "watch_pgd": 1.1}
    masked = {"watch_clean": 0.1, "watch_fgsm": 0.12, "watch_pgd": 3.0}
    weaker = {"watch_clean": 0.1, "watch_fgsm": 0.4, "watch_pgd": 1.1}
    assert overfitted(calm, []) is None and overfitted(weaker, []) is None
    assert "10 steps of PGD to 3" in str(overfitted(masked, []))
    assert "catastrophic overfitting" in str(overfitted(weaker, [calm]))


def test_the_watch_measures_one_step_beside_pgd() -> None:
    model, images = _trained(None, 40), batch(5)
    inputs = {name: images[name] for name in ("rgb", "depth")}
    found = FastTraining(BOTH).watch(model, inputs, images["mask"], sample_ids=[str(i) for i in range(8)])
    with torch.no_grad():
        clean = MapProblem(model, images["mask"]).loss(model(**inputs)).mean()
    assert found["watch_clean"] == pytest.approx(float(clean), rel=1e-5)
    assert found["watch_clean"] < found["watch_fgsm"] <= found["watch_pgd"]


def test_distances_of_attention_and_features() -> None:
    generator = torch.Generator().manual_seed(0)
    rgb, depth = torch.randn(2, 8, 4, 4, generator=generator), torch.randn(2, 5, 4, 4, generator=generator)
    attention = cross_modal_attention(rgb, depth)
    torch.testing.assert_close(attention.sum(1), torch.ones(2))
    torch.testing.assert_close(cross_modal_attention(3 * rgb, depth), attention)
    one, other = torch.eye(16)[:2], torch.eye(16)[2:4]
    assert torch.equal(attention_distance(one, other), torch.ones(2)), "all of it has moved"
    assert attention_distance(attention, attention).max() == 0
    assert feature_distance(rgb, rgb).max() == 0
    torch.testing.assert_close(feature_distance(3 * rgb, rgb).mean(), torch.tensor(4.0))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("trades", {"beta": -1.0}, "--beta -1: a weight of 0 or more"),
        ("pgd", {"steps": 0}, "--steps 0 is too few"),
        ("pgd", {"beta": 1.0}, "--beta has no effect with --adversarial pgd; its settings are --steps"),
        ("free", {"replays": 0}, "--replays 0 is too few"),
        ("free", {"sources": "worst"}, "cannot find the worst of them; pass --modality both or alternate"),
        ("fast", {"alpha": 0.0}, "--alpha 0 does not move"),
        ("pgd", {"sources": "all"}, 'no sources "all"; they are joint, alternate, worst'),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        map_hardening(name, BOTH, **settings)
    with pytest.raises(UsageError, match="--modality worst chooses between two inputs"):
        map_hardening("pgd", {"rgb": Budget()}, sources="worst")
