"""Interventions on one stream at one stage, against problems with a known answer."""

import numpy as np
import pytest
import torch
from interventions import Given, mixed, random_inputs, two_places
from run_models import scenes, tiny
from torch import nn

from rgbdsod.attacks.partial import OfBatch
from rgbdsod.models import build_model, load_model, wrap
from rgbdsod.models.meetings import meetings_of
from rgbdsod.run.interventions.intervened import Intervened
from rgbdsod.run.interventions.modes import Replacement, next_of_a_size
from rgbdsod.run.interventions.places import Place, find_places, stages_of
from rgbdsod.run.interventions.usual import Sums, arrivals
from rgbdsod.run.modeling import inputs_of

NETWORKS = [
    *((name, fusion) for name in ("bbsnet", "jldcf", "d3net") for fusion in ("feature", "multistage")),
    ("d3net", "early"),
    *(("unet.small", fusion) for fusion in ("mid", "late", "multi", "decision", "A:multi_all")),
]
NOTHING = torch.zeros(1, 1, 1, 1)


@pytest.mark.parametrize(("name", "fusion"), NETWORKS)
@torch.no_grad()
def test_without_depth_at_any_meeting_the_output_does_not_depend_on_it(name: str, fusion: str) -> None:
    model = build_model(name, fusion=fusion, seed=0, device="cpu").eval().at((64, 64))
    inputs = random_inputs()
    other = {**inputs, "depth": inputs["depth"].flip(-1)}
    assert not torch.equal(model(**other), model(**inputs))
    blind = model
    for stage in stages_of(model)[1:]:
        blind = Intervened(blind, Place(stage, "depth"), NOTHING)
    assert torch.equal(blind(**other), blind(**inputs))
    assert torch.equal(blind.predict(**other), blind.predict(**inputs))
    assert not torch.equal(blind(**inputs), model(**inputs))
    size = (64, 64)
    in_parts = blind.fuse({key: blind.encode(key, x) for key, x in inputs.items()}, size)
    torch.testing.assert_close(in_parts, blind(**inputs), rtol=0, atol=1e-4)


@torch.no_grad()
def test_its_own_map_changes_nothing_and_the_model_is_left_as_it_was() -> None:
    model = load_model("jldcf", device="cpu").at((64, 64))
    model.network.FA[0].train()
    inputs = random_inputs()
    expected, flags = model(**inputs), [part.training for part in model.network.modules()]
    for place, value in arrivals(model, inputs, find_places(model)).items():
        assert torch.equal(Intervened(model, place, value)(**inputs), expected)
    assert all(not part._forward_pre_hooks for part in model.modules())
    assert [part.training for part in model.network.modules()] == flags
    assert torch.equal(model(**inputs), expected)


def test_hooks_are_gone_after_an_error() -> None:
    model = two_places()
    broken = Intervened(model, Place("fine", "depth"), torch.zeros(1, 1, 5, 7))
    with pytest.raises(RuntimeError, match="size of tensor"):
        broken(**random_inputs())
    assert all(not part._forward_pre_hooks for part in model.modules())


def test_an_intervened_model_keeps_its_rows_and_a_whole_graph() -> None:
    model, inputs = two_places(), random_inputs(3)
    value = torch.rand(3, 1, 64, 64)
    changed = Intervened(model, Place("input", "depth"), value)
    assert isinstance(changed, OfBatch)
    index = torch.tensor([2, 0])
    few = changed.select(index)(**{name: x[index] for name, x in inputs.items()})
    torch.testing.assert_close(few, changed(**inputs)[index])
    leaf = inputs["depth"].requires_grad_()
    (gradient,) = torch.autograd.grad(changed(rgb=inputs["rgb"], depth=leaf).sum(), leaf)
    assert not gradient.any()


def test_a_network_that_makes_hha_of_depth() -> None:
    model = build_model("unet.small", fusion="mid", seed=0, device="cpu").eval()
    hha = build_model("unet.small", fusion="early6", seed=0, device="cpu").eval()
    assert stages_of(model) == ("input", "3")
    assert stages_of(hha) == ("input",)
    blind = Intervened(hha.at((64, 64)), Place("input", "depth"), NOTHING)
    inputs = random_inputs()
    with torch.no_grad():
        assert torch.equal(blind(**inputs), blind(rgb=inputs["rgb"], depth=inputs["depth"].flip(-1)))


def test_what_is_usual_is_that_of_all_images_and_places() -> None:
    data, model = mixed([32, 48, 32]), two_places()
    sums = Sums(find_places(model))
    for index in range(3):
        batch = inputs_of([data[index]], model.inputs, torch.device("cpu"))
        for _ in range(2):  # a part that is tried again counts once
            sums.watch(model, {name: batch[name] for name in model.inputs}, [data[index].id])
    usual = sums.usual()
    pixels = np.concatenate([sample.rgb.reshape(-1, 3) for sample in data.samples]) / 255
    found = usual[Place("input", "rgb")]
    np.testing.assert_allclose(found.mean.flatten(), pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.std.flatten(), pixels.std(0), rtol=1e-5)
    assert found.shapes == {(32, 32): (3, 32, 32), (48, 48): (3, 48, 48)}
    assert usual[Place("coarse", "depth")].shapes == {(32, 32): (1, 16, 16), (48, 48): (1, 24, 24)}


def replacement(model, data, place, mode, seed=0):
    """The value of a mode, with what is usual on the data."""
    sums = Sums([place])
    for sample in data:
        batch = inputs_of([sample], model.inputs, torch.device("cpu"))
        sums.watch(model, {name: batch[name] for name in model.inputs}, [sample.id])
    usual = sums.usual()[place]
    partner = next_of_a_size(data.sizes())
    return Replacement(model, place, mode, usual, partner=partner, read=data.read, seed=seed), usual


@pytest.mark.parametrize("stage", ["input", "fine", "coarse"])
@pytest.mark.parametrize("mode", ["cut", "mean", "noise", "swap"])
def test_a_value_belongs_to_its_image_whatever_the_batch(stage: str, mode: str) -> None:
    data, model = scenes(4), two_places()
    make, _ = replacement(model, data, Place(stage, "depth"), mode)
    whole = make([0, 1, 2, 3], list(data))
    for part in ([0], [3], [1, 2], [2, 0]):
        few = make(part, [data[index] for index in part])
        expected = whole if len(whole) == 1 else whole[part]
        assert torch.equal(few.expand_as(expected), expected)


def test_noise_has_the_usual_mean_and_spread() -> None:
    data, model = scenes(2, 64), two_places()
    make, usual = replacement(model, data, Place("fine", "depth"), "noise")
    noise = make([0, 1], list(data))
    assert noise.shape == (2, 1, 64, 64)
    assert abs(noise.mean() - usual.mean) < 5 * usual.std / noise.numel() ** 0.5
    assert noise.std() == pytest.approx(usual.std.item(), rel=0.05)
    assert not torch.equal(noise[0], noise[1])
    other, _ = replacement(model, data, Place("fine", "depth"), "noise", seed=1)
    assert not torch.equal(other([0, 1], list(data)), noise)
    at_input, _ = replacement(model, data, Place("input", "depth"), "noise")
    drawn = at_input([0], [data[0]])
    assert 0 <= drawn.min() < drawn.max() <= 1


def test_the_partner_is_the_next_image_of_the_size() -> None:
    a, b, c = (8, 8), (8, 9), (9, 9)
    partner = next_of_a_size([a, b, a, c, b, a])
    assert [partner(index) for index in range(6)] == [2, 4, 5, 4, 1, 0]


def test_swap_takes_the_next_image_or_resizes_one_of_another_size() -> None:
    data, model = mixed([32, 48, 32]), two_places()
    make, _ = replacement(model, data, Place("input", "depth"), "swap")
    value = make([0, 2], [data[0], data[2]])
    np.testing.assert_array_equal(value[:, 0].numpy(), np.stack([data[2].depth, data[0].depth]))
    resized = make([1], [data[1]])
    torch.testing.assert_close(
        resized, nn.functional.interpolate(torch.from_numpy(data[2].depth)[None, None], (48, 48), mode="bilinear")
    )


def test_stages_and_places() -> None:
    assert stages_of(load_model("d3net", device="cpu")) == ("input", "rgbdnet", "switch")
    assert stages_of(tiny()) == ("input",)
    assert stages_of(load_model("bbsnet", fusion="rgb", device="cpu")) == ("input",)
    model = two_places()
    assert find_places(model, ["coarse", "input"], "depth") == [Place("input", "depth"), Place("coarse", "depth")]
    assert len(find_places(model)) == 6
    assert find_places(wrap(nn.Conv2d(3, 1, 1), inputs=("rgb",))) == [Place("input", "rgb")]
    assert list(meetings_of(model.network)) == ["fine", "coarse"]
    assert len(Given([])) == 0
