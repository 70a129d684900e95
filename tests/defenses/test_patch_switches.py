"""Defences that drop a whole input."""

import pytest
import torch
from patch_victims import Pair, pair_images

from rgbdsod.defenses import patch_defense, through
from rgbdsod.errors import UsageError


def judge(inputs):
    """Accuses what is bright."""
    return torch.stack([8 * inputs[name].mean((1, 2, 3)) - 4 for name in ("rgb", "depth")], 1)


def attacked(count, key, seed=3):
    inputs = pair_images(count, seed)
    inputs[key] = 0.9 - inputs[key]
    return inputs


@pytest.mark.parametrize("key", ["rgb", "depth"])
def test_the_accused_input_becomes_its_mean(key):
    defence = patch_defense("pair-head", judge=judge).calibrate(pair_images(8))
    inputs = attacked(3, key)
    found = defence(inputs)
    assert torch.equal(found.mask, torch.ones(3, 1, 64, 64))
    assert (found.score > 0).all()
    expected = inputs[key].mean((2, 3), keepdim=True).expand_as(inputs[key])
    torch.testing.assert_close(found.inputs[key], expected)
    other = "depth" if key == "rgb" else "rgb"
    assert torch.equal(found.inputs[other], inputs[other])


def test_of_two_accused_inputs_the_further_one_is_dropped():
    defence = patch_defense("pair-head", judge=judge, threshold=-10.0)
    inputs = attacked(2, "depth")
    found = defence(inputs)
    assert torch.equal(found.inputs["rgb"], inputs["rgb"])
    assert found.inputs["depth"].std((2, 3)).max() < 1e-6


@pytest.mark.parametrize("name", ["pair-head", "depurator"])
def test_clean_images_stay_and_a_batch_is_its_images(name):
    made = patch_defense("pair-head", judge=judge) if name == "pair-head" else patch_defense(name, model=Pair())
    clean = pair_images(8)
    defence = made.calibrate(clean)
    found = defence(clean)
    assert found.mask.max() == 0
    assert all(torch.equal(found.inputs[key], clean[key]) for key in clean)
    inputs = {key: torch.cat([clean[key][:4], attacked(4, "depth")[key]]) for key in clean}
    whole = defence(inputs)
    for row in range(8):
        alone = defence({key: value[[row]] for key, value in inputs.items()})
        torch.testing.assert_close(alone.inputs["depth"], whole.inputs["depth"][[row]])
        torch.testing.assert_close(alone.score, whole.score[[row]])


def test_the_depurator_measures_the_distance_of_two_maps():
    model, inputs = Pair(), pair_images(2)
    features = {key: model.encode(key, value) for key, value in inputs.items()}
    grey = model.encode("rgb", inputs["rgb"].mean((2, 3), keepdim=True).expand_as(inputs["rgb"]))
    both, depth = (model.fuse({**features, "rgb": one}, (64, 64)).sigmoid() for one in (features["rgb"], grey))
    defence = patch_defense("depurator", threshold=-1.0).in_front_of(model)
    found = defence(inputs)
    torch.testing.assert_close(found.score - 1, (both - depth).abs().mean((1, 2, 3)))
    assert found.inputs["rgb"] is inputs["rgb"]
    assert found.inputs["depth"].std((2, 3)).max() < 1e-6


def test_an_aware_attack_can_lower_the_accusation():
    defence = patch_defense("pair-head", judge=judge).calibrate(pair_images(8))
    inputs = attacked(2, "rgb")
    image = inputs["rgb"].clone().requires_grad_()
    seen = through(defence, {**inputs, "rgb": image})
    torch.testing.assert_close(seen.inputs["rgb"], defence(inputs).inputs["rgb"])
    slope = torch.autograd.grad(seen.score.sum(), image)[0]
    quieter = (image - 0.2 * slope.sign()).clamp(0, 1).detach()
    assert (defence({**inputs, "rgb": quieter}).score < defence(inputs).score).all()


def test_refusals():
    with pytest.raises(UsageError, match="pass judge="):
        patch_defense("pair-head")(pair_images(1))
    with pytest.raises(UsageError, match='"depth" is missing'):
        patch_defense("pair-head", judge=judge)({"rgb": torch.rand(1, 3, 8, 8)})
    with pytest.raises(UsageError, match="has not both inputs; leave it out"):
        patch_defense("depurator").in_front_of(None)
    with pytest.raises(UsageError, match="pass model="):
        patch_defense("depurator")(pair_images(1))
