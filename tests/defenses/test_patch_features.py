"""Defences that look inside the victim, and those that change it."""

import pytest
import torch
from patch_victims import Pair, detector_images, pair_images

from rgbdsod.defenses import Defended, patch_defense, through
from rgbdsod.defenses.patch.features.fnc import clipped
from rgbdsod.defenses.patch.features.statistics import WINDOWS, Moments
from rgbdsod.defenses.patch.features.victim import Victim, recorded
from rgbdsod.defenses.patch.purifier import installed
from rgbdsod.errors import UsageError
from rgbdsod.models import load_detector, load_model


@pytest.fixture(scope="module")
def pair():
    return Pair()


@pytest.fixture(scope="module")
def detector():
    return load_detector("fcos.tiny")


@pytest.fixture(scope="module")
def zmask(pair):
    return patch_defense("zmask", fill="mean").in_front_of(pair).calibrate(pair_images(8))


def test_stages_are_the_encoders_of_each_input(pair):
    seen = Victim(pair, "zmask")
    for key in ("rgb", "depth"):
        assert seen.stages(key)[:3] == [f"0.{key}.{at}" for at in range(3)]
    assert Victim(load_model("bbsnet"), "zmask").stages("depth")[1:] == [
        f"0.network.resnet_depth.layer{at}" for at in (1, 2, 3, 4)
    ]


def test_stages_of_a_detector_end_before_its_decoder(detector):
    assert Victim(detector, "zmask").stages("image") == [f"0.backbone.stages.{at}" for at in range(5)]


def test_activation_by_hand():
    features = torch.rand(4, 3, 9, 9)
    moments = Moments.of(features)
    score = (features - features.mean((0, 2, 3), keepdim=True)) / features.std((0, 2, 3), keepdim=True, unbiased=False)
    score = score.clamp_min(0).mean(1)
    found = moments.activation(features)[:, 0]
    expected = sum(
        score[2, max(4 - side // 2, 0) : 5 + side // 2, max(1 - side // 2, 0) : 2 + side // 2].mean()
        for side in WINDOWS
    )
    assert float(found[2, 4, 1]) == pytest.approx(float(expected) / len(WINDOWS), rel=1e-5)


@pytest.mark.parametrize("key", ["rgb", "depth"])
def test_zmask_masks_what_excites_both_layers(pair, key):
    zmask = patch_defense("zmask", fill="mean", on=(key,)).in_front_of(pair).calibrate(pair_images(8))
    inputs = pair_images(3, seed=4)
    inputs[key][..., 24:40, 16:32] = 1  # far brighter than any clean pixel
    found = zmask(inputs)
    assert found.mask[..., 28:36, 20:28].min() == 1
    evidence = zmask.evidence(inputs[key])
    assert (evidence[..., 24:40, 16:32].mean((2, 3)) > 1.5 * evidence.mean((2, 3))).all()
    other = "depth" if key == "rgb" else "rgb"
    assert found.inputs[other] is inputs[other]
    assert (found.score > 0).all()
    assert (zmask(pair_images(3, seed=4)).score < found.score).all()


def test_zmask_leaves_clean_images_alone(zmask):
    clean = pair_images(8)
    assert zmask(clean).mask.mean() <= 0.01
    assert torch.equal(zmask(clean).mask, zmask(clean).mask)


def test_zmask_of_a_detector(detector):
    images, _ = detector_images(4)
    zmask = patch_defense("zmask").in_front_of(detector).calibrate({"image": images})
    assert zmask({"image": images}).mask.mean() <= 0.01
    torch.testing.assert_close(
        zmask({"image": images[[2]]}).inputs["image"], zmask({"image": images}).inputs["image"][[2]]
    )


def test_a_batch_is_its_images(zmask):
    inputs = pair_images(8, seed=4)
    inputs["rgb"][:4, :, 24:40, 16:32] = 1
    whole = zmask(inputs)
    for row in range(8):
        alone = zmask({key: value[[row]] for key, value in inputs.items()})
        torch.testing.assert_close(alone.inputs["rgb"], whole.inputs["rgb"][[row]], rtol=0, atol=1e-6)
        assert torch.equal(alone.mask, whole.mask[[row]])


def test_the_evidence_of_zmask_has_an_exact_gradient(pair):
    victim = Pair().double()
    inputs = {key: value.double() for key, value in pair_images(4).items()}
    zmask = patch_defense("zmask").in_front_of(victim).calibrate(inputs)
    _compare(lambda image: zmask.evidence(image).square().sum(), inputs["rgb"][:1])


def test_zmask_gives_an_aware_attack_its_true_values_and_a_penalty(zmask):
    inputs = pair_images(2, seed=4)
    inputs["rgb"][..., 24:40, 16:32] = 1
    image = inputs["rgb"].clone().requires_grad_()
    seen = through(zmask, {**inputs, "rgb": image})
    torch.testing.assert_close(seen.inputs["rgb"], zmask(inputs).inputs["rgb"])
    slope = torch.autograd.grad(seen.score.sum(), image)[0]
    quieter = (image - 0.2 * slope.sign()).clamp(0, 1).detach()
    assert (zmask({**inputs, "rgb": quieter}).score < zmask(inputs).score).all()


def test_clipping_by_hand():
    features = torch.tensor([[3.0, 0.0], [4.0, 1.0]]).view(1, 2, 1, 2)  # lengths 5 and 1, mean 3
    torch.testing.assert_close(clipped(features), torch.tensor([[1.8, 0.0], [2.4, 1.0]]).view(1, 2, 1, 2))


def test_clipping_changes_the_first_stages_while_it_is_installed(pair):
    inputs = pair_images(2)
    fnc = patch_defense("fnc").in_front_of(pair)
    assert fnc.layers == ("0.rgb.0", "0.rgb.1", "0.depth.0", "0.depth.1")
    before = Defended(pair, patch_defense("none"))(inputs)
    with installed(fnc), recorded(Victim(pair, "fnc").network, fnc.layers) as outputs:
        pair.encode("rgb", inputs["rgb"])
    for name in ("0.rgb.0", "0.rgb.1"):
        length = outputs[name].norm(dim=1)
        assert length.max() <= 1.001 * 2 * length.mean()
    assert not torch.allclose(Defended(pair, fnc)(inputs), before)
    assert torch.equal(Defended(pair, patch_defense("none"))(inputs), before), "the victim stays changed"
    purified = fnc(inputs)
    assert purified.inputs["rgb"] is inputs["rgb"]
    assert purified.mask.max() == 0


def test_clipping_is_put_off_after_an_error(pair):
    fnc = patch_defense("fnc").in_front_of(pair)
    before = pair.encode("rgb", pair_images(1)["rgb"])
    with pytest.raises(RuntimeError, match="stop"), installed(fnc):
        raise RuntimeError("stop")
    assert torch.equal(pair.encode("rgb", pair_images(1)["rgb"]), before)


def test_the_clipped_network_has_an_exact_gradient():
    victim = Pair().double()
    inputs = {key: value.double() for key, value in pair_images(1).items()}
    guarded = Defended(victim, patch_defense("fnc").in_front_of(victim))
    _compare(lambda image: guarded({**inputs, "rgb": image}).square().sum(), inputs["rgb"])


@torch.no_grad()
def test_clipping_takes_back_an_excited_place(pair):
    """A spot that no clean image has moves the clipped network's map elsewhere by less."""
    inputs = pair_images(4, seed=5)
    spot = {**inputs, "rgb": inputs["rgb"].clone()}
    spot["rgb"][..., 24:40, 16:32] = 1
    moved = {}
    for name in ("none", "fnc"):
        guarded = Defended(pair, patch_defense(name).in_front_of(pair))
        moved[name] = float((guarded(spot) - guarded(inputs)).abs()[..., 24:40, 16:32].mean())
    assert moved["fnc"] < 0.8 * moved["none"]


def test_refusals(pair):
    with pytest.raises(UsageError, match="looks inside a network, and function shows none"):
        patch_defense("zmask").in_front_of(lambda inputs: inputs["rgb"])
    with pytest.raises(UsageError, match=r"call \.calibrate\(clean inputs\)"):
        patch_defense("zmask").in_front_of(pair)(pair_images(1))
    with pytest.raises(UsageError, match="pass fewer stages"):
        patch_defense("fnc", stages=9).in_front_of(pair)
    with pytest.raises(UsageError, match="pass 1 or more"):
        patch_defense("fnc", stages=0)
    with pytest.raises(UsageError, match=r"call \.in_front_of\(model\) first"), installed(patch_defense("fnc")):
        pass


def test_an_encoder_of_one_size_is_refused():
    flat = Pair(strides=(1, 1, 1, 1))
    with pytest.raises(UsageError, match="three sizes and more"):
        patch_defense("zmask").in_front_of(flat).calibrate(pair_images(2))


def _compare(value, image):
    """The gradient along drawn directions, against central differences."""
    point = image.clone().requires_grad_()
    slope = torch.autograd.grad(value(point), point)[0]
    ways = torch.randn(8, *image.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-6
    with torch.no_grad():
        differences = [(value(image + step * way) - value(image - step * way)) / (2 * step) for way in ways]
    along = (ways * slope).flatten(1).sum(1)
    assert torch.cosine_similarity(torch.stack(differences), along, dim=0) > 0.999
    assert slope.abs().sum() > 0
