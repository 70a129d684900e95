"""The maps that read RGB and depth without a model, the decision over all of them, and its responses."""

import json

import numpy as np
import pytest
import torch

from rgbdsod.defenses import patch_defense, through
from rgbdsod.defenses.patch.cross.defence import Clean
from rgbdsod.defenses.patch.cross.features import FEATURES, rarity
from rgbdsod.defenses.patch.cross.logistic import Logistic, fit_logistic
from rgbdsod.defenses.patch.cross.outline import enclosed
from rgbdsod.defenses.patch.cross.surface import residual
from rgbdsod.defenses.patch.cross.translation import normalised, surprise
from rgbdsod.errors import UsageError, WeightsError

SIDE = 48


def ramp(across=0.004, down=0.002, noise=0.0, seed=0):
    v, u = torch.meshgrid(torch.arange(SIDE) * 1.0, torch.arange(SIDE) * 1.0, indexing="ij")
    plane = 0.2 + across * u + down * v
    return (plane + noise * torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(seed)))[None, None]


class Saw:
    """A model whose map drops everywhere when a modality holds a bright spot."""

    def __call__(self, inputs):
        grey = {name: value.mean(1, keepdim=True) for name, value in inputs.items()}
        alarm = sum(40 * (one - 0.8).clamp_min(0).mean((2, 3), keepdim=True) for one in grey.values())
        return 4 * (grey["rgb"] + grey["depth"] - 1) - alarm


def calm(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 2, 4, 4, generator=generator) * 0.6
    maps = torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear")
    return {"rgb": maps[:, :1].expand(-1, 3, -1, -1).contiguous(), "depth": maps[:, 1:].contiguous()}


def attacked(inputs, *modalities):
    changed = {name: value.clone() for name, value in inputs.items()}
    for name in modalities:
        changed[name][..., 24:36, 30:42] = 1
    return changed


def test_residual_is_that_of_least_squares():
    scene = ramp() + torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(3)) * 0.1
    found = residual(scene, 5)
    v, u = np.mgrid[-2:3, -2:3]
    table = np.stack([u.ravel(), v.ravel(), np.ones(25)], 1)
    for y, x in ((2, 2), (20, 31), (45, 45)):
        window = scene[0, 0, y - 2 : y + 3, x - 2 : x + 3].double().numpy().ravel()
        left = np.linalg.lstsq(table, window, rcond=None)[1][0] / 25
        assert float(found[0, 0, y, x]) == pytest.approx(left**0.5, rel=1e-4)
    assert residual(ramp(), 5).max() < 1e-4


def test_the_surface_map_finds_rough_depth_and_flat_depth_under_a_busy_picture():
    generator = torch.Generator().manual_seed(0)
    depth, rgb = ramp(noise=0.01), torch.full((1, 3, SIDE, SIDE), 0.5)
    rgb[..., 10:22, 10:22] = torch.rand(3, 12, 12, generator=generator)
    depth[..., 10:22, 10:22] = ramp()[..., 10:22, 10:22]
    depth[..., 30:42, 30:42] = torch.rand(12, 12, generator=generator)
    found = patch_defense("cross-surface").maps({"rgb": rgb, "depth": depth})
    assert set(found) == {"depth"}
    elsewhere = found["depth"][0, 0, 30:42, 6:18].mean()
    assert found["depth"][0, 0, 14:18, 14:18].min() > 3 * elsewhere
    assert found["depth"][0, 0, 34:38, 34:38].min() > 10 * elsewhere
    calm_rgb = patch_defense("cross-surface").maps({"rgb": torch.full_like(rgb, 0.5), "depth": depth})["depth"]
    assert calm_rgb[0, 0, 14:18, 14:18].max() < 0.1, "flat depth under a plain picture is no card"


def test_an_outline_has_to_be_closed():
    image = torch.full((1, 1, SIDE, SIDE), 0.3)
    image[..., 10:22, 14:26] = 0.9
    found = enclosed(image, [12], 0.05)
    inside = torch.zeros_like(image, dtype=torch.bool)
    inside[..., 10:22, 14:26] = True
    assert found[inside].min() > 0.9
    assert found[..., 36:, :].max() == 0
    open_ = image.clone()
    open_[..., 22:, 14:26] = 0.9
    assert enclosed(open_, [12], 0.05).max() < 0.5
    both = patch_defense("cross-outline").maps(
        {"rgb": image.expand(-1, 3, -1, -1), "depth": torch.full_like(image, 0.3)}
    )
    assert both["rgb"].max() > 0.5 > both["depth"].max()


def test_surprise_does_not_mind_scale_and_offset_and_sees_what_does_not_follow():
    depth = normalised(calm(2, seed=5)["depth"])
    mean, spread = 0.5 * depth - 0.3, torch.full_like(depth, 0.2)
    assert surprise(depth, mean, spread).max() < 1e-3
    odd = depth.clone()
    odd[..., 4:12, 4:12] += 3
    found = surprise(odd, mean, spread)
    assert found[..., 4:12, 4:12].min() > 10
    assert found[..., 20:, 20:].max() < 3, "the patch draws the fit to itself"


def test_the_shipped_translator_finds_foreign_depth():
    from rgbdsod.datasets import collate, load_dataset

    scenes = load_dataset("scenes:3@96x96#1048999")
    batch = collate([scenes[at] for at in range(3)])
    depth = batch["depth"].clone()
    depth[..., 30:52, 40:62] = torch.rand(22, 22, generator=torch.Generator().manual_seed(0))
    found = patch_defense("cross-translation").maps({"rgb": batch["rgb"], "depth": depth})["depth"]
    before = patch_defense("cross-translation").maps({"rgb": batch["rgb"], "depth": batch["depth"]})["depth"]
    gain = found[..., 34:48, 44:58].mean((1, 2, 3)) - before[..., 34:48, 44:58].mean((1, 2, 3))
    assert gain.mean() > 0.5


def test_the_regression_finds_what_matters():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 4000, generator=generator)
    truth = torch.rand(4000, generator=generator) < (2 * one - 1).sigmoid()
    even = torch.ones(4000)
    found = fit_logistic({"one": one, "other": other}, truth, even)
    assert found.weights["one"] == pytest.approx(2, abs=0.2)
    assert found.weights["other"] == pytest.approx(0, abs=0.1)
    assert found.bias == pytest.approx(-1, abs=0.15)
    again = Logistic.read(json.loads(json.dumps(found.record())), ["one", "other"], "here")
    torch.testing.assert_close(again.logit({"one": one, "other": other}), found.logit({"one": one, "other": other}))
    with pytest.raises(UsageError, match="masks that have both"):
        fit_logistic({"one": one}, torch.zeros(4000, dtype=torch.bool))
    with pytest.raises(WeightsError, match="no decision over 1 maps"):
        Logistic.read({"weights": {}}, ["one"], "here")


def test_rarity_is_the_tail_of_clean_values_with_a_slope():
    clean = Clean(torch.linspace(0, 1, 1001), 0.99)
    values = torch.tensor([-1.0, 0.5, 0.9, 0.99, 2.0], requires_grad=True)
    found = rarity(values, clean)
    torch.testing.assert_close(found.detach(), torch.tensor([0.0, 0.301, 1.0, 2.0, 3.0]), atol=0.05, rtol=0)
    slope = torch.autograd.grad(found.sum(), values)[0]
    assert (slope > 0).all()


def test_the_gradient_of_the_influence_is_that_of_its_windows():
    inputs = attacked(calm(1, seed=2), "rgb")
    defence = patch_defense("cross-influence", model=Saw(), grid=2)  # four windows: all of them have a gradient
    image = inputs["rgb"].double().requires_grad_()
    depth = inputs["depth"].double()
    found = defence.maps({"rgb": image, "depth": depth})["rgb"].sum()
    plain = defence.maps({"rgb": image.detach(), "depth": depth})["rgb"].sum()
    torch.testing.assert_close(found.detach(), plain)
    way = torch.randn(image.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = float((torch.autograd.grad(found, image)[0] * way).sum())
    step = 1e-6
    ahead, behind = (
        float(defence.maps({"rgb": image.detach() + sign * step * way, "depth": depth})["rgb"].sum())
        for sign in (1, -1)
    )
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-3)


@pytest.fixture(scope="module")
def cross(tmp_path_factory):
    """A decision that believes the influence alone, so that what it says is known."""
    file = tmp_path_factory.mktemp("cross") / "decision.json"
    weights = {name: float(name.startswith("influence")) for name in FEATURES}
    file.write_text(json.dumps({"weights": weights, "bias": 0.0}))
    return patch_defense("cross", model=Saw(), grid=5, fill="mean", weights=file).calibrate(calm(6))


@pytest.mark.parametrize("modality", ["rgb", "depth"])
def test_the_decision_names_place_and_modality(cross, modality):
    inputs = attacked(calm(2, seed=2), modality)
    found, other = cross(inputs), "depth" if modality == "rgb" else "rgb"
    assert cross.accused(inputs) == [modality] * 2
    assert found.mask[..., 28:34, 34:40].min() == 1
    assert torch.equal(found.inputs[other], inputs[other])
    assert found.inputs[modality][..., 30, 36].max() < 1
    assert (found.score > cross(calm(2, seed=2)).score).all()


def test_responses(cross):
    from dataclasses import replace

    inputs = attacked(calm(1, seed=2), "rgb")
    alarm = replace(cross, response="alarm")(inputs)
    assert alarm.mask.max() == 1
    assert alarm.inputs["rgb"] is inputs["rgb"]
    both = replace(cross, response="inpaint-both")(inputs)
    assert not torch.equal(both.inputs["depth"], inputs["depth"])
    without = replace(cross, response="fall-back")(inputs)
    assert without.inputs["rgb"].std((2, 3)).max() < 1e-5
    assert torch.equal(without.inputs["depth"], inputs["depth"])
    with pytest.raises(UsageError, match="responses are inpaint-accused"):
        patch_defense("cross", response="none")


def test_the_decision_is_calm_and_can_be_attacked(cross):
    clean = calm(6)
    assert cross(clean).mask.mean() <= 0.01
    inputs = attacked(calm(1, seed=6), "rgb")
    image = inputs["rgb"].clone().requires_grad_()
    slope = torch.autograd.grad(through(cross, {**inputs, "rgb": image}).score.sum(), image)[0]
    assert torch.isfinite(slope).all()
    assert slope.abs().sum() > 0


def test_refusals(tmp_path):
    with pytest.raises(UsageError, match="pass model="):
        patch_defense("cross").calibrate(calm(2))
    with pytest.raises(WeightsError, match="no decision at"):
        patch_defense("cross", weights=tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"weights": {"one": 1}, "bias": 0}')
    with pytest.raises(WeightsError, match="12 maps"):
        patch_defense("cross", weights=tmp_path / "other.json")
    with pytest.raises(UsageError, match="windows of"):
        patch_defense("cross-surface", window=3.0).maps(calm(1))
