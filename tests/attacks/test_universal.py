"""One noise for all samples: known optima, other sizes, files, and what cannot be meant."""

import json
import re

import pytest
import torch
from attacks_networks import Classifier, Saliency, seeded
from attacks_problems import gains, middle, rand, scene, toy, weights
from safetensors.torch import save_file
from torch import nn

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, ScoreProblem, audit, noise
from rgbdsod.attacks.universal.fitting import Batch
from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.attacks.universal.sgd_uap import sgd_uap
from rgbdsod.attacks.universal.sizing import sized
from rgbdsod.attacks.universal.uap import uap
from rgbdsod.errors import DataError, UsageError, WeightsError

PAIR = {"rgb": Budget(eps=0.02), "depth": Budget(eps=0.1)}
FITS = [sgd_uap, uap]


def says(text: str, kind: type[Exception] = UsageError):
    return pytest.raises(kind, match=f"^{re.escape(text)}")


def pick(values, index):
    return {name: value[index] for name, value in values.items()}


def linear(samples: int = 6):
    w, inputs = weights(samples), middle(samples)
    return w, inputs, gains(w)


def maps(sizes=((16, 16),), **settings):
    """A batch of four scenes for each size, and the network."""
    network, batches = seeded(Saliency()), []
    for at, (height, width) in enumerate(sizes):
        inputs = {"rgb": rand(at, 4, 3, height, width), "depth": rand(at + 9, 4, 1, height, width)}
        with torch.no_grad():
            masks = (network(inputs) > 0).float()
        batches.append((MapProblem(network, masks, **settings), inputs))
    return network, batches


def test_sgd_finds_the_signs_of_the_mean_weight():
    """The largest mean gain of one noise on a linear problem is eps times the sign of the mean weight."""
    w, inputs, problem = linear()
    found = sgd_uap([(problem, inputs)], PAIR, epochs=11)
    for name, budget in PAIR.items():
        assert torch.allclose(found.noise[name], budget.eps * w[name].mean(0, keepdim=True).sign())
    assert found.facts["forward"] == found.facts["backward"] == 6 * 11


def test_sgd_in_l2_goes_along_the_mean_weight():
    w, inputs, problem = linear()
    found = sgd_uap([(problem, inputs)], {"depth": Budget("l2", 0.4)}, epochs=11)
    mean = w["depth"].mean(0, keepdim=True)
    assert torch.allclose(found.noise["depth"], 0.4 * mean / mean.norm(), atol=1e-6)


def test_a_sample_above_the_cap_does_not_pull():
    """The easy sample's loss is beyond the cap from the start, so the other one alone decides."""
    steep = torch.tensor([[50.0, 50.0], [-1.0, -1.0]])  # sums of 50 and 1 where nothing has moved
    problem = ScoreProblem(lambda x: (x["image"] * steep).sum(1) + torch.tensor([0.0, 2.0]), inputs=("image",))
    inputs = {"image": torch.full((2, 2), 0.5)}
    budget = {"image": Budget(eps=0.1)}
    assert (sgd_uap([(problem, inputs)], budget, epochs=11).noise["image"] == -0.1).all()
    assert (sgd_uap([(problem, inputs)], budget, epochs=11, cap=1000).noise["image"] == 0.1).all()


def test_the_order_of_batches_comes_from_the_seed():
    _, batches = maps([(8, 8)] * 4)
    one, same, other = (sgd_uap(batches, PAIR, epochs=2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.noise["rgb"], same.noise["rgb"])
    assert not torch.equal(one.noise["rgb"], other.noise["rgb"])
    assert torch.equal(sgd_uap(iter(batches), PAIR, epochs=2).noise["rgb"], one.noise["rgb"])


@pytest.mark.parametrize("fit", FITS)
def test_one_noise_fools_maps_it_was_not_fitted_on(fit):
    _, batches = maps([(16, 16)] * 4)
    budget = {"depth": Budget(eps=0.15)}
    found = fit(batches[:3], budget, epochs=4)
    problem, inputs = batches[3]
    shown = found.apply(inputs)
    audit(shown, inputs, budget)
    loss = problem.loss(problem.forward(shown))
    random = noise(problem, inputs, budget, kind="sign")
    assert loss.mean() > random.loss.mean() + 0.01
    assert shown["rgb"] is inputs["rgb"]
    assert not any(value.requires_grad for value in found.noise.values())


def test_uap_of_one_sample_is_one_deepfool_step():
    """On a linear problem the smallest step ends a little beyond the border."""
    w, inputs, _ = linear(1)
    problem = ScoreProblem(lambda x: ((x["depth"] - 0.5) * w["depth"]).flatten(1).sum(1), threshold=0.3)
    found = uap([(problem, inputs)], {"depth": Budget("l2", 5.0)}, overshoot=0.02)
    expected = 1.02 * 0.3 * w["depth"] / w["depth"].square().sum()
    assert torch.allclose(found.noise["depth"], expected, rtol=1e-3)
    assert found.facts["fooled"] == [1.0]


def test_uap_fools_classes_up_to_the_target_and_stops():
    network = seeded(Classifier())
    images = rand(3, 24, 3, 12, 12)
    labels = network({"image": images}).argmax(1)
    parts = [(ClassProblem(network, labels[at : at + 6]), {"image": images[at : at + 6]}) for at in range(0, 24, 6)]
    budget = {"image": Budget("l2", 1.0)}
    found = uap(parts, budget, target_rate=0.4, epochs=4)
    assert found.facts["fooled"][-1] >= 0.4
    assert all(rate < 0.4 for rate in found.facts["fooled"][:-1])
    fooled = (network(found.apply({"image": images})).argmax(1) != labels).float().mean()
    assert fooled.item() == pytest.approx(found.facts["fooled"][-1])
    assert found.noise["image"].norm() <= 1.0 + 1e-6


def test_uap_keeps_the_ratio_of_two_radii():
    _, batches = maps()
    found = uap(batches, PAIR, epochs=1)
    assert 0 < found.noise["rgb"].abs().amax() <= 0.02 + 1e-7
    assert 0 < found.noise["depth"].abs().amax() <= 0.1 + 1e-7


@pytest.mark.parametrize("fit", FITS)
def test_masks_of_batches_and_of_budgets(fit):
    _, [(problem, inputs)] = maps(success="flipped>=0.1")
    holes, half = torch.ones(4, 1, 16, 16), torch.ones(1, 1, 16, 16)
    holes[:, :, :4], half[..., 15:] = 0, 0
    masks = {"depth": holes}
    found = fit([Batch(problem, inputs, masks)], {"depth": Budget(eps=0.1, mask=half)}, epochs=2)
    assert (found.noise["depth"][:, :, :4] == 0).all()
    assert (found.noise["depth"][..., 15:] == 0).all()
    assert (found.noise["depth"] != 0).any()
    ones = Universal({"depth": torch.full((1, 1, 16, 16), 0.1)}, {"depth": Budget(eps=0.1)})
    shown = ones.apply(inputs, masks=masks)["depth"]
    assert torch.equal(shown[:, :, :4], inputs["depth"][:, :, :4])
    assert (shown[:, :, 4:] != inputs["depth"][:, :, 4:]).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("sizing", ["resize", "tile"])
def test_images_of_several_sizes(fit, sizing):
    _, batches = maps([(16, 16), (12, 20)])
    budget = {"depth": Budget(eps=0.15)}
    found = fit(batches, budget, size=(8, 8), sizing=sizing, epochs=3)
    assert found.noise["depth"].shape == (1, 1, 8, 8)
    clean, noisy = [], []
    for problem, inputs in batches:
        shown = found.apply(inputs)
        audit(shown, inputs, budget)
        clean.append(problem.loss(problem.forward(inputs)))
        noisy.append(problem.loss(problem.forward(shown)))
    assert torch.cat(noisy).mean() > torch.cat(clean).mean()


def test_a_resized_noise_gets_the_gradient_of_its_own_values():
    """Two halves of one noise value each: the gradient of a value is the sum over its pixels."""
    w = torch.zeros(1, 1, 8, 8)
    w[..., :4], w[..., 4:] = 1.0, -2.0
    problem = ScoreProblem(lambda x: (x["depth"] * w).flatten(1).sum(1), inputs=("depth",))
    inputs = {"depth": torch.full((1, 1, 8, 8), 0.5)}
    found = sgd_uap([(problem, inputs)], {"depth": Budget(eps=0.1)}, size=(1, 2), epochs=10)
    assert torch.allclose(found.noise["depth"], torch.tensor([[[[0.1, -0.1]]]]))


def test_sizes():
    small = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    like = torch.zeros(5, 1, 3, 5)
    assert sized(small, like, "tile")[0, 0].tolist() == [[1, 2, 1, 2, 1], [3, 4, 3, 4, 3], [1, 2, 1, 2, 1]]
    wide = sized(small, like, "resize")
    assert wide.shape == (1, 1, 3, 5)
    assert (wide[0, 0, 0, 0], wide[0, 0, -1, -1], wide[0, 0, 1, 2]) == (1, 4, 2.5)
    assert sized(small, torch.zeros(5, 1, 2, 2), "fixed") is small
    with says('the noise is 1x2x2, the input 1x3x5; pass sizing="resize" or sizing="tile"'):
        sized(small, like, "fixed")
    with says("a noise of 1x2x2 does not fit an input of 3x3x5"):
        sized(small, torch.zeros(5, 3, 3, 5), "resize")


def test_l2_stays_within_its_radius_at_any_size():
    found = Universal({"depth": rand(0, 1, 1, 8, 8) / 8}, {"depth": Budget("l2", 0.6)})
    inputs = {"depth": torch.full((2, 1, 32, 32), 0.5)}
    for sizing in ("resize", "tile"):
        audit(found.apply(inputs, sizing=sizing), inputs, found.budgets)


def test_levels_of_a_budget_are_kept():
    _, [(problem, inputs)] = maps()
    clean = {name: (255 * value).round() / 255 for name, value in inputs.items()}
    found = sgd_uap([(problem, clean)], {"depth": Budget(eps=6 / 255, levels=255)}, epochs=3)
    codes = found.apply(clean)["depth"] * 255
    assert torch.allclose(codes, codes.round(), atol=1e-4)
    audit(found.apply(clean), clean, found.budgets)


@pytest.mark.parametrize("fit", FITS)
def test_flags_are_put_back_and_the_model_is_not_touched(fit):
    network, batches = maps()
    network.train()
    network.out.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit(batches, PAIR, epochs=1)
    assert network.training
    assert [name for name, weight in network.named_parameters() if not weight.requires_grad] == ["out.bias"]
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_callback_counts_batches_to_the_end():
    _, batches = maps([(16, 16)] * 2)
    told = []
    sgd_uap(batches, PAIR, epochs=3, callback=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_passes_of_sgd_are_one_forward_and_one_backward_a_visit():
    network, batches = maps([(16, 16)] * 2)
    found = sgd_uap(batches, {"depth": Budget(eps=0.1)}, epochs=3)
    assert found.facts["forward"] == found.facts["backward"] == 8 * 3
    assert network.fused == 2 + 6  # two to make the masks
    visited = uap(batches, {"depth": Budget(eps=0.01)}, epochs=2)
    assert visited.facts["forward"] > 2 * 8 * 2


def test_files(tmp_path):
    _, batches = maps()
    path = tmp_path / "deep" / "noise.safetensors"
    found = sgd_uap(batches, {**PAIR, "depth": Budget("l2", 0.5, levels=65535)}, epochs=1, sizing="tile", seed=3)
    found.about(model="toy", data="scenes").save(path)
    again = Universal.load(path)
    for name, value in found.noise.items():
        assert torch.equal(again.noise[name], value)
        ours, theirs = again.budgets[name], found.budgets[name]
        assert (ours.norm, ours.eps, ours.levels) == (theirs.norm, theirs.eps, theirs.levels)
    assert again.sizing == "tile"
    assert again.facts == {**found.facts, "model": "toy", "data": "scenes"}
    assert again.facts["seed"] == 3
    assert again.facts["sizes"] == {"rgb": [3, 16, 16], "depth": [1, 16, 16]}
    assert [file.name for file in path.parent.iterdir()] == ["noise.safetensors"]


def write(path, noise, about=None, schema="rgbdsod.universal/1"):
    save_file(noise, path, {"schema": schema, "about": json.dumps(about)})


def test_foreign_and_broken_files(tmp_path):
    path, noise = tmp_path / "x.safetensors", {"depth": torch.full((1, 1, 4, 4), 0.1)}
    about = {"budgets": {"depth": {"norm": "linf", "eps": 0.1, "levels": None}}, "sizing": "tile", "facts": {}}
    write(path, noise, about)
    assert Universal.load(path).budgets["depth"].eps == 0.1
    with says(f"cannot read {tmp_path / 'none'}: no such file", DataError):
        Universal.load(tmp_path / "none")
    path.write_bytes(path.read_bytes()[:-9])
    with says(f"{path} is damaged, or no safetensors file", DataError):
        Universal.load(path)
    path.write_bytes(b"<html>not found</html>")
    with says(f"{path} is damaged, or no safetensors file", DataError):
        Universal.load(path)
    torch.save(noise, path)
    with says(f"{path} is damaged, or no safetensors file", DataError):
        Universal.load(path)
    save_file({"conv.weight": torch.ones(2, 2)}, path)
    with says(f"{path} holds no universal noise (found: tensors conv.weight); rgbdsod universal fit", DataError):
        Universal.load(path)
    write(path, noise, about, schema="rgbdsod.universal/9")
    with says(f"{path} holds no universal noise (found: rgbdsod.universal/9)", DataError):
        Universal.load(path)
    for wrong in (None, [], {"budgets": {}}, {**about, "budgets": {"rgb": {"norm": "linf", "eps": 0.1}}}):
        write(path, noise, wrong)
        with pytest.raises(DataError, match="fit it again"):
            Universal.load(path)
    write(path, {"depth": torch.full((1, 1, 4, 4), torch.nan)}, about)
    with says(f"{path} holds an incomplete universal noise", DataError):
        Universal.load(path)
    write(path, {"depth": torch.full((1, 1, 4, 4), 0.2)}, about)
    with says(f"{path}: the noise of depth is larger than its radius of 0.1", DataError):
        Universal.load(path)
    write(path, noise, {**about, "budgets": {"depth": {"norm": "l7", "eps": 0.1}}})
    with says(f'{path} holds a noise that cannot be used: no norm "l7"', DataError):
        Universal.load(path)
    write(path, noise, {**about, "sizing": "mirror"})
    with says(f'{path} holds a noise that cannot be used: no sizing "mirror"', DataError):
        Universal.load(path)


def test_a_file_that_cannot_be_written(tmp_path):
    found = Universal({"depth": torch.zeros(1, 1, 2, 2)}, {"depth": Budget()})
    (tmp_path / "file").write_text("")
    with says(f"cannot write {tmp_path / 'file' / 'x'}", DataError):
        found.save(tmp_path / "file" / "x")


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("threat", "settings", "text"),
    [
        ({"depth": Budget("l1", 3.0)}, {}, "a universal noise takes --norm linf, l2, not l1 (for depth)"),
        ({"depth": Budget(eps=torch.tensor([0.1]))}, {}, "a universal noise has one radius for depth; pass a number"),
        ({"depth": Budget(eps=0.0)}, {}, "no input has a radius above 0, so no noise can be fitted"),
        ({"thermal": Budget()}, {}, "--modality thermal: the batches have inputs rgb, depth"),
        (PAIR, {"epochs": 0}, "--epochs 0 fits nothing; pass 1 or more"),
        (PAIR, {"sizing": "mirror"}, 'no sizing "mirror"; it is one of resize, tile, fixed'),
        (PAIR, {"size": (8, 8), "sizing": "fixed"}, "the noise is 3x8x8, the input 3x16x16; pass sizing="),
    ],
)
def test_what_cannot_be_meant(fit, threat, settings, text):
    with says(text):
        fit([toy()], threat, **settings)


def test_own_parameters():
    with says("--step-size 0 does not move"):
        sgd_uap([toy()], PAIR, step_size=0.0)
    with says("--target-rate 80: pass a share above 0 and up to 1, for example 0.8"):
        uap([toy()], PAIR, target_rate=80)
    with says("no steps fooled any sample, so there is no noise; pass more --steps than 1, an easier --success"):
        uap(maps()[1], {"depth": Budget(eps=0.1)}, steps=1, epochs=1)
    with says("there are no batches to fit a noise on"):
        sgd_uap([], PAIR)
    found = Universal({"depth": torch.zeros(1, 1, 2, 2)}, {"depth": Budget()})
    with says('the noise is for input "depth"; there are rgb'):
        found.apply({"rgb": torch.rand(1, 3, 2, 2)})
    with says("noise of depth, but budgets of rgb"):
        Universal(found.noise, {"rgb": Budget()})


def test_a_model_that_returns_nan_is_named():
    class Broken(nn.Module):
        inputs, name = ("rgb", "depth"), "broken"

        def forward(self, inputs):
            return inputs["depth"] * torch.nan

    inputs, masks = scene()
    with pytest.raises(WeightsError, match="broken gave a loss that is not finite"):
        sgd_uap([(MapProblem(Broken(), masks), inputs)], {"depth": Budget()})
