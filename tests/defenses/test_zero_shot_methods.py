"""The methods at work: passes, identities, what stays untouched, and the inner attack."""

import subprocess
import sys
from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch
from defenses_encoder import NoTokens, Passes, TinyEncoder, images, texts
from defenses_hardening import EPS, batch, hardening, moved_encoder

from rgbdsod.defenses import METHODS, TUNING_PRESETS, Hardening, InnerAttack, TuningBatch, hardening_method
from rgbdsod.errors import UsageError

ALL = METHODS.names()


def gradients(how, given=None, seed=0):
    """The loss and all weight gradients of one step."""
    how.parts.encoder.zero_grad(set_to_none=True)
    losses = how.step(batch() if given is None else given, seed=seed, step=0)
    losses["total"].backward()
    return losses["total"].detach(), [weight.grad for weight in how.parts.encoder.parameters()]


def same(one, other):
    assert torch.equal(one[0], other[0])
    for left, right in zip(one[1], other[1], strict=True):
        assert torch.equal(left, right)


PASSES = {
    "ft-clean": (1, 1, 0),
    "ft-adv": (3, 1, 2),
    "tecoa": (3, 1, 2),
    "tecoa-lambda": (4, 2, 2),
    "fare": (11, 1, 10),
    "fare-bimodal": (4, 2, 2),
    "pmg-aft": (4, 2, 2),
    "tga-zsr": (4, 2, 2),
    "comp-tga": (4, 2, 2),
}
"""Through the model in training: forward, back to the weights, back to the images alone."""


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "uncached"])
@pytest.mark.parametrize("name", ALL)
def test_a_step_makes_these_passes_and_no_more(name, cached):
    how = hardening(name, attack=InnerAttack(steps=PASSES[name][2] or 2))
    given = how.complete(batch()) if cached else batch()
    training, original = Passes(how.parts.encoder, 4), Passes(how.parts.original, 4)
    losses = how.step(given, seed=0, step=0)
    losses["total"].backward()
    assert training.counts == PASSES[name]
    frozen = name == "pmg-aft" or (METHODS[name].reference != "" and not cached)
    assert original.counts == (int(frozen), 0, 0)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({"name": "pmg-aft", "clean": 0.0}, (3, 1, 2)),
        ({"name": "tga-zsr", "beta": 0.0}, (3, 1, 2)),
        ({"name": "tga-zsr", "alpha": 0.0}, (4, 2, 2)),
        ({"name": "tga-zsr", "attention": "vision"}, (4, 2, 2)),
        ({"name": "fare", "clean_weight": 0.5}, (4, 2, 2)),
        ({"name": "fare", "trades": True}, (4, 1, 2)),
        ({"name": "tecoa-lambda", "clean": 0.0, "mu": 0.0}, (3, 1, 2)),
    ],
    ids=str,
)
def test_terms_without_weight_cost_nothing(settings, counts):
    how = hardening(settings.pop("name"), **settings)
    passes = Passes(how.parts.encoder, 4)
    how.step(batch(), seed=0, step=0)["total"].backward()
    assert passes.counts == counts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("tga-zsr", {"alpha": 0.0, "beta": 0.0}), ("tecoa", {})),
        (("comp-tga", {"alpha": 0.0, "beta": 0.0}), ("tecoa", {})),
        (("pmg-aft", {"general": 0.0, "clean": 0.0}), ("tecoa", {})),
        (("tecoa-lambda", {"clip_loss": "itc", "clean": 0.0, "mu": 0.0}), ("tecoa", {"clip_loss": "itc"})),
        (
            ("fare-bimodal", {"balancer": "fixed", "alpha": 1.0, "kl": 0.0, "disc": 0.0}),
            ("tecoa-lambda", {"lam": 1.0, "mu": 0.0}),
        ),
        (
            ("fare-bimodal", {"balancer": "fixed", "alpha": 1.0, "kl": 0.0, "disc": 0.0, "clip_loss": "itc"}),
            ("tecoa-lambda", {"lam": 1.0, "mu": 0.0, "clip_loss": "itc"}),
        ),
    ],
    ids=str,
)
def test_methods_that_are_one_at_the_edge_are_so_bit_for_bit(one, other):
    same(*(gradients(hardening(name, **settings)) for name, settings in (one, other)))


@pytest.mark.parametrize("name", ALL)
def test_a_step_leaves_everything_but_the_encoders_gradients_alone(name):
    how = hardening(name)
    how.parts.encoder.train()
    before = deepcopy((how.parts.encoder, how.parts.original))
    given = batch()
    moved = how.attack(given, seed=3)
    assert all(weight.grad is None and weight.requires_grad for weight in how.parts.encoder.parameters())
    assert not moved.requires_grad
    assert moved.min() >= 0
    assert moved.max() <= 1
    change = (moved - given.image).abs().max()
    assert change <= 8 / 255 + 1e-7
    assert (change > 0) == (name != "ft-clean")
    how.loss(given, moved)["total"].backward()
    assert all(weight.grad is None and not weight.requires_grad for weight in how.parts.original.parameters())
    assert how.parts.texts.grad is None
    assert how.parts.encoder.training
    assert not how.parts.original.training
    for model, old in zip((how.parts.encoder, how.parts.original), before, strict=True):
        assert all(torch.equal(value, old.state_dict()[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", [name for name in ALL if name != "ft-clean"])
def test_the_attack_raises_its_loss(name):
    how = hardening(name, attack=InnerAttack(eps=8 / 255, steps=5, step_size=2 / 255))
    given = how.complete(batch())
    moved = how.attack(given, seed=0)
    with torch.no_grad():
        assert how.attack_loss(moved, given).sum() > how.attack_loss(given.image, given).sum()


@pytest.mark.parametrize("name", ["tecoa", "fare", "pmg-aft", "tga-zsr"])
def test_the_attack_on_an_image_does_not_depend_on_its_batch(name):
    how, given = hardening(name), batch(32)
    whole = how.attack(given, seed=0)
    for size in (8, 1):
        parts = [
            how.attack(
                TuningBatch(given.image[i : i + size], given.ids[i : i + size], given.labels[i : i + size]), seed=0
            )
            for i in range(0, 32, size)
        ]
        assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(how.attack(given, seed=1), whole)


@pytest.mark.parametrize("name", ["fare", "tga-zsr", "comp-tga"])
def test_five_steps_with_and_without_a_cache_are_the_same(name):
    def train(cached):
        how = hardening(name)
        kept = how.reference(batch()) if cached else None
        optimizer = torch.optim.SGD(how.parts.encoder.parameters(), lr=0.1)
        for step in range(5):
            optimizer.zero_grad()
            how.step(batch(reference=kept), seed=step, step=step)["total"].backward()
            optimizer.step()
        return how.parts.encoder.state_dict()

    one, other = train(True), train(False)
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", ["tga-zsr", "comp-tga"])
def test_maps_may_be_kept_in_half_precision(name):
    how = hardening(name)
    kept = how.reference(batch())
    assert kept.shape == ((4, 4) if name == "tga-zsr" else (4, 2, 4))
    exact, coarse = (gradients(how, batch(reference=value))[0] for value in (kept, kept.half()))
    torch.testing.assert_close(coarse, exact, rtol=2e-3, atol=0)


def test_an_untrained_model_has_no_distance_and_no_nan():
    """At the first step both models look at clean images alike; the Euclidean norm has no slope there."""
    encoder = TinyEncoder()
    how = Hardening(hardening_method("tga-zsr", alpha=0.0), encoder, original=TinyEncoder(), texts=texts(), attack=EPS)
    how.step(batch(), seed=0, step=0)["total"].backward()
    assert all(torch.isfinite(weight.grad).all() for weight in encoder.parameters() if weight.grad is not None)


@pytest.mark.parametrize("attention", ["text", "vision", "gradcam"])
def test_every_kind_of_map_is_learned_through(attention):
    """The attention terms alone change the weights; finite differences agree in float64."""
    how = hardening("tga-zsr", attention=attention)
    how.parts.encoder.double()
    how.parts.original.double()
    how.parts = type(how.parts)(how.parts.encoder, how.parts.original, texts().double())
    given = TuningBatch(images().double(), "abcd", batch().labels)
    moved = (given.image + 0.02).clamp(0, 1)

    def extra():
        losses = how.loss(given, moved)
        return 0.08 * losses["refinement"] + 0.05 * losses["constraint"]

    weight = how.parts.encoder.patch.weight
    (slope,) = torch.autograd.grad(extra(), weight)
    direction = torch.randn(weight.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight += step * direction
        found.append(extra().item())
        with torch.no_grad():
            weight -= step * direction
    numeric = (found[0] - found[1]) / 2e-6
    assert abs(numeric) > 1e-3
    assert (slope * direction).sum().item() == pytest.approx(numeric, rel=1e-4)


def test_captions_do_without_classes():
    given = TuningBatch(images(), "abcd", captions=texts(4, seed=8))
    for name in ("ft-clean", "tecoa", "tecoa-lambda", "fare-bimodal"):
        how = Hardening(hardening_method(name, clip_loss="itc"), moved_encoder(), attack=EPS)
        assert torch.isfinite(how.step(given, seed=0, step=0)["total"])


@pytest.mark.parametrize("name", ALL)
def test_the_table_says_what_a_method_needs(name):
    row, encoder = METHODS[name], moved_encoder()

    def step(**changes):
        has = {"own": texts(), "labels": batch().labels, "model": encoder, **changes}
        own = {"texts": has["own"], "negated": has["own"]}
        how = Hardening(hardening_method(name), has["model"], original=TinyEncoder(), attack=EPS, **own)
        return how.step(TuningBatch(images(), "abcd", has["labels"]), seed=0, step=0)

    for needed, change in (
        (row.text, {"own": None}),
        (row.labels, {"labels": None}),
        (row.tokens, {"model": NoTokens()}),
    ):
        with pytest.raises(UsageError) if needed else nullcontext():
            step(**change)
    kept = hardening(name).reference(batch())
    assert (kept is not None) == (row.reference != "")


def test_tables_and_settings_load_no_torch():
    code = (
        "import sys, rgbdsod.defenses as d; d.METHODS, d.TUNING_PRESETS, d.InnerAttack; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_inner_attack_in_one_step_and_at_another_radius():
    how = hardening("tecoa", attack=InnerAttack.fgsm(0.05))
    given = TuningBatch(images() * 0.8 + 0.1, "abcd", batch().labels)
    change = how.attack(given, seed=0) - given.image
    torch.testing.assert_close(change.abs(), torch.full_like(change, 0.05))
    assert torch.equal(how.attack(given, seed=1) - given.image, change)
    wider = InnerAttack(eps=1 / 255, step_size=0.25 / 255).at(4 / 255)
    assert (wider.eps, wider.step_size) == (4 / 255, 1 / 255)


def test_the_table_and_the_presets_are_complete():
    for row in METHODS:
        assert row.load().name == row.name
        assert f"{row.name}/glyphs/small" in TUNING_PRESETS
        assert len(TUNING_PRESETS.names(f"{row.name}/*/vit-b-32")) >= 1
    for preset in TUNING_PRESETS:
        assert preset.build().name == preset.method
        assert (preset.epochs is None) != (preset.steps is None)
    released = TUNING_PRESETS["pmg-aft/as-released"].build()
    assert (released.scale, released.reduction) == (1.0, "sum")
