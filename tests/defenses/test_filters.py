"""Input defences: known answers, draws, gradients, detection with fall-back."""

import numpy as np
import pytest
import torch
from run_models import tiny

from rgbdsod.defenses import DEFENSES, compose
from rgbdsod.defenses.filters.bilateral import Bilateral, JointBilateral
from rgbdsod.defenses.filters.detect import Detect
from rgbdsod.defenses.filters.feature_noise import FeatureNoise
from rgbdsod.defenses.filters.inpaint import DepthInpaint
from rgbdsod.defenses.filters.rebuild import Rebuild
from rgbdsod.defenses.filters.resize_pad import ResizePad
from rgbdsod.defenses.filters.shuffle import SegmentShuffle
from rgbdsod.defenses.patch.superpixels import superpixels
from rgbdsod.errors import UsageError


def pair(count=2, side=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "rgb": torch.rand(count, 3, side, side, generator=generator) * 0.8 + 0.1,
        "depth": torch.rand(count, 1, side, side, generator=generator) * 0.8 + 0.1,
    }


@pytest.mark.parametrize("row", DEFENSES, ids=lambda row: row.name)
def test_rows_say_what_the_classes_do(row):
    kind = row.load()
    assert (kind.name, kind.differentiable, kind.random) == (row.name, row.differentiable, row.random)
    assert kind.thresholded == (row.kind == "switch")


def test_joint_bilateral_by_brute_force():
    inputs = pair(1, 9)
    found = JointBilateral(window=5, sigma_colour=0.3, sigma_space=1.5)(inputs).inputs
    pad = [(2, 2), (2, 2)]
    depth = np.pad(inputs["depth"][0, 0].double().numpy(), pad, "reflect")
    guide = np.stack([np.pad(one, pad, "reflect") for one in inputs["rgb"][0].double().numpy()])
    wanted = np.zeros((9, 9))
    for y in range(9):
        for x in range(9):
            total = weights = 0.0
            for j in range(-2, 3):
                for i in range(-2, 3):
                    apart = np.abs(guide[:, y + 2 + j, x + 2 + i] - guide[:, y + 2, x + 2]).sum()
                    weight = np.exp(-(apart**2) / (2 * 0.3**2) - (i * i + j * j) / (2 * 1.5**2))
                    total, weights = total + weight * depth[y + 2 + j, x + 2 + i], weights + weight
            wanted[y, x] = total / weights
    assert np.abs(found["depth"][0, 0].numpy() - wanted).max() < 1e-5
    assert found["rgb"] is inputs["rgb"]


@pytest.mark.parametrize("side", [24, 160])
def test_bilateral_is_joint_bilateral_with_the_image_as_its_own_guide(side):
    """Of few and of many values, which are worked off in other ways; alone and in a batch."""
    depth = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0))
    same = {"rgb": depth.expand(-1, 3, -1, -1) / 3, "depth": depth}
    wanted = JointBilateral(window=5, sigma_colour=0.2, sigma_space=1.5)(same).inputs["depth"]
    smooth = Bilateral(window=5, sigma_colour=0.2, sigma_space=1.5)
    found = smooth({"depth": depth}).inputs["depth"]
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(smooth({"depth": depth[1:2]}).inputs["depth"], found[1:2], atol=1e-6, rtol=0)


def test_smoothing_stops_at_the_guides_edges():
    depth = torch.full((1, 1, 16, 16), 0.5) + 0.02 * torch.randn(
        1, 1, 16, 16, generator=torch.Generator().manual_seed(0)
    )
    depth[..., 8:] += 0.3
    edge, flat = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    edge[..., 8:] = 1
    kept, lost = (JointBilateral()({"rgb": guide, "depth": depth}).inputs["depth"] for guide in (edge, flat))
    step = [float(one[..., 8].mean() - one[..., 7].mean()) for one in (kept, lost)]
    assert step[0] > 0.27
    assert step[1] < 0.2
    assert kept[..., :8].std() < 0.5 * depth[..., :8].std()


def test_shuffling_keeps_each_segments_pixels():
    inputs = pair()
    defence = SegmentShuffle(side=6).given(["a", "b"])
    found = defence(inputs).inputs
    for name, image in inputs.items():
        number = superpixels(image, 6, 0.2)[:, 0]
        for at in range(2):
            for one in number[at].unique():
                where = number[at] == one
                before, after = (x[at][:, where].T.tolist() for x in (image, found[name]))
                assert sorted(before) == sorted(after)
        assert not torch.equal(image, found[name])


@pytest.mark.parametrize("kind", [ResizePad, SegmentShuffle])
def test_draws_belong_to_seed_sample_and_call(kind):
    inputs = pair(3)
    both = kind(seed=1).given(["a", "b", "c"])
    first, second = both(inputs).inputs["depth"], both(inputs).inputs["depth"]
    assert not torch.equal(first, second)
    alone = kind(seed=1).given(["b"])
    own = {name: value[1:2] for name, value in inputs.items()}
    assert torch.allclose(alone(own).inputs["depth"], first[1:2], atol=1e-6)
    assert torch.allclose(alone(own).inputs["depth"], second[1:2], atol=1e-6)
    assert not torch.equal(kind(seed=2).given(["b"])(own).inputs["depth"], first[1:2])
    assert not torch.equal(kind(seed=1).given(["b"], "verdict")(own).inputs["depth"], first[1:2])
    rest = both.select(torch.tensor([1]))
    assert torch.allclose(rest(own).inputs["depth"], alone(own).inputs["depth"], atol=1e-6)


def test_maps_of_moved_images_come_back():
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    found = ResizePad(smallest=0.7).given(["a"])({"rgb": ramp.expand(1, 3, -1, -1), "depth": ramp})
    assert (found.inputs["depth"] - ramp).abs().max() > 0.05
    assert (found.undo(found.inputs["depth"]) - ramp).abs()[..., 2:-2].max() < 0.02


def test_inpainting_fills_holes_and_spikes_alone():
    depth = torch.linspace(0.2, 0.4, 24).expand(1, 1, 24, 24).clone()
    depth[..., 5:7, 5:7], depth[..., 15, 15] = 0.0, 0.9
    found = DepthInpaint()({"depth": depth})
    assert int(found.mask.sum()) == 5
    assert torch.equal(found.inputs["depth"][found.mask == 0], depth[found.mask == 0])
    ramp = torch.linspace(0.2, 0.4, 24).expand(1, 1, 24, 24)
    assert (found.inputs["depth"] - ramp).abs().max() < 0.02


def test_feature_noise_has_its_strength_and_goes_away():
    model, inputs = tiny(), pair()
    layer = torch.nn.Conv2d(1, 4, 1)
    defence = FeatureNoise(strength=0.5).given(["a", "b"])
    vars(defence).update(layers=(layer,))
    x = inputs["depth"]
    plain = layer(x)
    with defence.installed():
        noisy = layer(x)
    assert torch.equal(layer(x), plain)
    share = ((noisy - plain).std() / plain.flatten(1).std(1).mean()).detach()
    assert 0.4 < float(share) < 0.6
    assert model.inputs == ("rgb", "depth")


EXACT = ("bilateral", "joint-bilateral", "joint-bilateral(target=rgb)", "inpaint", "resize-pad", "shuffle")


@pytest.mark.parametrize("text", EXACT)
def test_exact_gradients_are_those_of_differences(text):
    inputs = {name: value.double() for name, value in pair(1, 16).items()}
    smooth = torch.nn.functional.avg_pool2d
    inputs = {name: smooth(value, 5, 1, 2, count_include_pad=False) for name, value in inputs.items()}
    name = "rgb" if "rgb" in text else "depth"
    weight = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.double)

    def value(x):
        found = compose(text).given(["a"])({**inputs, name: x})
        return sum((part * weight).sum() for part in found.inputs.values())

    x = inputs[name].clone().requires_grad_()
    slope = torch.autograd.grad(value(x), x)[0]
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=torch.double)
    step = 1e-6
    measured = (value(x.detach() + step * way) - value(x.detach() - step * way)) / 2 / step
    assert float((slope * way).sum()) == pytest.approx(float(measured), rel=1e-3)


def halves(inputs):
    """A judge whose logits are the images' means, times 10."""
    return torch.stack([10 * inputs[name].mean((1, 2, 3)) for name in ("rgb", "depth")], 1)


def test_limits_are_quantiles_of_clean_images_and_the_further_input_goes():
    clean = pair(40, 8)
    detect = Detect(by="heads", judge=halves, fpr=0.1).calibrate(clean)
    assert detect(clean).mask.flatten(1).amax(1).mean() <= 0.1
    bright = {"rgb": clean["rgb"][:2] + 0.1, "depth": clean["depth"][:2] + 0.4}
    found = detect(bright)
    assert torch.equal(found.inputs["rgb"], bright["rgb"])
    assert (found.inputs["depth"] - bright["depth"].mean((2, 3), keepdim=True)).abs().max() < 1e-6
    alone = Detect(by="heads", judge=halves, fpr=0.1, watch="rgb").calibrate(clean)
    assert torch.equal(alone({**clean, "depth": bright["depth"][:1].expand(40, -1, -1, -1)}).inputs["depth"][0],
                       bright["depth"][0])  # fmt: skip
    assert float(found.score.min()) > 0


def test_fall_back_to_what_the_other_input_says():
    clean = pair(20, 8)

    def redraw(name, inputs):
        return torch.full_like(inputs[name], 0.25)

    detect = Detect(by="reconstruction", fallback="rebuild", rebuilder=redraw, watch="depth").calibrate(clean)
    found = detect({**clean, "depth": torch.ones_like(clean["depth"])}).inputs["depth"]
    assert torch.allclose(found, torch.full_like(found, 0.25))
    target = Rebuild(target="rgb", rebuilder=redraw)(clean)
    assert float(target.inputs["rgb"].max()) == 0.25
    assert target.inputs["depth"] is clean["depth"]


def test_a_detector_says_what_it_was_not_given():
    clean = pair(20, 8)
    for detect, missing in (
        (Detect(by="disagreement"), r"call \.in_front_of\(model\) first"),
        (Detect(by="heads"), "--manipulation; pass judge="),
        (Detect(by="reconstruction"), "--masked learns; pass rebuilder="),
    ):
        with pytest.raises(UsageError, match=missing):
            detect.calibrate(clean)
    with pytest.raises(UsageError, match=r"call \.calibrate\(clean images\) first"):
        Detect(by="heads", judge=halves)(clean)
    needs_none = Detect(by="translation", watch="depth").calibrate(clean)
    assert needs_none(clean).score.isfinite().all()


def test_a_chain_is_its_parts_in_their_order():
    inputs = pair()
    one, other = (
        compose("bits(bits=2)+bilateral(window=3)")(inputs),
        compose("bilateral(window=3)+bits(bits=2)")(inputs),
    )
    assert not torch.equal(one.inputs["rgb"], other.inputs["rgb"])
    first = compose("bits(bits=2)")(inputs)
    assert torch.equal(compose("bilateral(window=3)")(first.inputs).inputs["rgb"], one.inputs["rgb"])
    assert compose("none")(inputs).inputs["rgb"] is inputs["rgb"]
    x = inputs["rgb"].clone().requires_grad_()
    value = compose("bits(bits=2)+bilateral(window=3)")({**inputs, "rgb": x}).inputs["rgb"]
    assert torch.equal(value, one.inputs["rgb"])
    assert torch.autograd.grad(value.sum(), x)[0].abs().sum() > 0


WRONG = {
    "medain": 'did you mean "median"',
    "median++tv": "join names by one +",
    "": "empty part",
    "jpeg(qualty=50)": 'did you mean "quality"',
    "jpeg(quality=high)": "expected a number, such as 75",
    "jpeg(quality=7.5)": "expected a whole number",
    "jpeg(quality=500)": "pass 1 to 100",
    "jpeg(50)": "expected NAME=VALUE",
    "jpeg(quality=50": "expected a name",
    "MEDIAN": 'did you mean "median"',
    "median(window=3,window=5)": "window is given twice",
    "zzz": 'no defense "zzz" (rgbdsod list defenses)',
    "median(on=sound)": "expected rgb, depth or both",
    "joint-bilateral(on=rgb)": 'no setting "on"',
    "joint-bilateral(target=hha)": "pass depth",
    "detect+median": "write median+detect",
    "detect+depurator": "keep one of them",
    "none+median": "stands alone",
    "detect(fpr=0)": "above 0 and below 1",
    "detect(fpr=2)": "above 0 and below 1",
    "detect(watch=sound)": "expected one of rgb, depth, both",
    "detect(by=translation)": "detect(by=translation,watch=depth)",
    "depurator(threshold=3)": "0 to 1",
    "resize-pad(smallest=1)": "above 0 and below 1",
    "inpaint(jump=0)": "above 0 and below 1",
    "bilateral(window=4)": "odd",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_costs_one_sentence(text):
    with pytest.raises(UsageError) as error:
        compose(text)
    assert WRONG[text] in str(error.value)
    assert "\n" not in str(error.value)
