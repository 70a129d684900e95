"""What fare-bimodal learns beside the encoder."""

import pytest
import torch
from defenses_hardening import batch, hardening

from rgbdsod.defenses.zero_shot.companion import Companion
from rgbdsod.errors import UsageError


def losses(image, text):
    return {"image": torch.tensor(image), "text": torch.tensor(text)}


def test_ratio_puts_weight_on_the_modality_that_is_worse():
    companion = Companion("ratio", memory=0.5)
    assert companion.alpha == 0.5
    companion.learn(losses(3.0, 1.0))
    assert companion.alpha == 0.75
    companion.learn(losses(1.0, 1.0))
    assert companion.alpha == pytest.approx(2 / 3)
    companion.learn(losses(1000.0, 0.0))
    assert companion.alpha == 0.9


def test_ascent_raises_the_loss_and_stays_in_its_range():
    companion = Companion("ascent", ascent=0.1)
    companion.learn(losses(2.0, 1.0))
    assert companion.alpha == pytest.approx(torch.sigmoid(torch.tensor(0.025)).item())
    for _ in range(2000):
        companion.learn(losses(0.0, 5.0))
    assert companion.alpha == pytest.approx(0.1)
    companion.learn(losses(50.0, 0.0))
    assert companion.alpha > 0.1


def test_fixed_stays():
    companion = Companion("fixed", alpha=0.3)
    companion.learn(losses(9.0, 1.0))
    assert companion.alpha == 0.3
    with pytest.raises(UsageError, match="alpha 1 stays there for ever"):
        hardening("fare-bimodal", alpha=1.0)


def test_the_discriminator_learns_and_the_encoders_loss_does_not_teach_it():
    how = hardening("fare-bimodal")
    judge = how.parts.companion.discriminator
    found = how.step(batch(), seed=0, step=0)
    assert set(found) == {"total", "clean", "image", "text", "kl", "generator", "alpha", "discriminator",
                          "discriminator_accuracy"}  # fmt: skip
    found["total"].backward()
    assert all(weight.grad is None for weight in judge.parameters())
    encoder = [weight.grad.clone() for weight in how.parts.encoder.parameters()]
    how.learn(found)
    for weight, before in zip(how.parts.encoder.parameters(), encoder, strict=True):
        assert torch.equal(weight.grad, before)
    first = found["discriminator"].item()
    for step in range(150):
        found = how.step(batch(), seed=0, step=step)
        how.learn(found)
    assert found["discriminator"].item() < first
    assert how.parts.companion.alpha != 0.5


def test_a_training_continues_exactly():
    def learn(how, steps):
        for step in steps:
            how.learn(how.step(batch(), seed=step, step=step))
        return how

    whole = learn(hardening("fare-bimodal"), range(6))
    half = learn(hardening("fare-bimodal"), range(3))
    again = hardening("fare-bimodal")
    again.load_state_dict(half.state_dict())
    learn(again, range(3, 6))
    one, other = whole.state_dict(), again.state_dict()
    assert whole.parts.companion.alpha == again.parts.companion.alpha
    assert all(torch.equal(one[key], other[key]) for key in one if torch.is_tensor(one[key]))
