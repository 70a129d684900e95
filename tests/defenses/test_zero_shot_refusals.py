"""What hardening refuses, in one sentence."""

import pytest
import torch
from defenses_encoder import NoTokens, TinyEncoder, images, texts
from defenses_hardening import batch, hardening

from rgbdsod.defenses import Hardening, InnerAttack, NumericsError, TuningBatch, check_gradients, hardening_method
from rgbdsod.errors import UsageError


def test_half_precision_needs_a_scaler():
    with pytest.raises(UsageError, match="float16 without loss scaling loses pixel gradients"):
        InnerAttack(precision="float16")
    how = hardening("tecoa", attack=InnerAttack(precision="float16", loss_scale=1.0))
    assert torch.isfinite(how.attack(batch(), seed=0)).all()
    how = hardening("tecoa")
    alone = how.attack(batch(), seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(how.attack(batch(), seed=0), alone), "the attack's precision is its own"
        assert how.step(batch(), seed=0, step=0)["total"].dtype == torch.float32


@pytest.mark.parametrize("name", ["tga-zsr", "comp-tga"])
def test_an_encoder_without_tokens_is_refused_in_a_sentence(name):
    with pytest.raises(UsageError, match=f"method {name} compares patch tokens with texts, and blind has none; use an"):
        hardening(name, kind=NoTokens)
    hardening("tecoa", kind=NoTokens).step(batch(), seed=0, step=0)
    with pytest.raises(UsageError, match="blind has no class-token attention"):
        hardening("tga-zsr", kind=NoTokens, attention="vision")


def bad_label():
    given = batch()
    return TuningBatch(given.image, given.ids, given.labels + 10)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: hardening_method("tga-zrs"), 'no method "tga-zrs"; did you mean "tga-zsr"'),
        (lambda: hardening_method("tecoa", alpha=1), 'method tecoa has no setting "alpha"; its settings are clip_loss'),
        (lambda: hardening_method("tga-zsr", distance="l3"), 'no distance "l3"; it is one of l2, l1, cos, rms'),
        (lambda: hardening_method("tga-zsr", alpha=-1), "alpha -1 is no weight"),
        (lambda: hardening_method("comp-tga", attention="vision"), "comp-tga compares two texts"),
        (lambda: hardening_method("fare", clean_weight=2), "clean_weight 2 is no share"),
        (lambda: hardening_method("pmg-aft", scale=0), "scale 0 multiplies similarities"),
        (lambda: InnerAttack(steps=0), "an inner attack of 0 steps does nothing"),
        (lambda: hardening("tecoa").step(bad_label(), seed=0, step=0), "labels go from 10 to 13, but there are"),
        (lambda: hardening("tecoa").step(TuningBatch(images(), "abcd"), seed=0, step=0), "this loss needs labels"),
        (lambda: hardening("pmg-aft").step(TuningBatch(images(), "abcd"), seed=0, step=0), "this method needs labels"),
        (lambda: hardening("tecoa").step(batch(reference=texts(3)), seed=0, step=0), "of 4 images has 3 reference"),
        (lambda: Hardening(hardening_method("tecoa"), TinyEncoder()), "needs the features of the classes' texts"),
        (lambda: Hardening(hardening_method("comp-tga"), TinyEncoder(), texts=texts()), "This is not a photo of a"),
        (
            lambda: Hardening(hardening_method("fare"), TinyEncoder()).step(batch(), seed=0, step=0),
            "pass original=, a copy from before the training",
        ),
    ],
)  # fmt: skip
def test_refusals(act, message):
    with pytest.raises(UsageError, match=message):
        act()


def test_the_original_is_not_the_model_in_training():
    encoder = TinyEncoder()
    with pytest.raises(UsageError, match="the original model is the one in training"):
        Hardening(hardening_method("fare"), encoder, original=encoder)


def test_weights_that_are_no_numbers_stop_the_training_with_step_and_layer():
    how = hardening("tecoa")
    with torch.no_grad():
        how.parts.encoder.keys.bias[0] = torch.nan
    with pytest.raises(NumericsError, match=r'not finite at step 7; the weights "keys.bias" are not finite; continue'):
        how.step(batch(), seed=0, step=7)


@pytest.mark.parametrize("name", ["ft-clean", "tga-zsr"])
def test_an_overflow_names_the_layer_it_begins_in(name):
    how = hardening(name)
    with torch.no_grad():
        how.parts.encoder.project.weight.fill_(3e38)
    with pytest.raises(NumericsError, match=r'not finite at step 3; first in layer "project"'):
        how.step(batch(), seed=0, step=3)


def test_a_gradient_that_is_no_number_is_named_where_it_came_from():
    encoder = how = hardening("tecoa").parts.encoder
    check_gradients(encoder, 1)
    encoder.embed(images()).sum().backward()
    check_gradients(encoder, 1)
    how.mix.weight.grad[0, 0] = torch.inf
    how.patch.bias.grad[0] = torch.nan
    with pytest.raises(NumericsError, match=r'gradient of "mix.weight" is not finite at step 5'):
        check_gradients(encoder, 5)
