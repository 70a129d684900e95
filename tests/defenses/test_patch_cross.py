"""Patches found by the quarrel between RGB and depth."""

import pytest
import torch
from patch_victims import scenes

from rgbdsod.defenses import patch_defense, through
from rgbdsod.defenses.patch.cross.influence import windows_of
from rgbdsod.defenses.patch.cross.streams import by_replacement
from rgbdsod.errors import UsageError

SIDE = 48


class Saw:
    """A model whose map drops everywhere when a modality holds a bright spot: a patch that acts at a distance."""

    inputs = ("rgb", "depth")
    name = "saw"

    def encode(self, name, x):
        grey = x.mean(1, keepdim=True)
        middle = grey.mean((2, 3), keepdim=True)
        return grey, middle + 40 * (grey - 0.8).clamp_min(0).mean((2, 3), keepdim=True)

    def fuse(self, features, size):
        (rgb, red), (depth, alarm) = features["rgb"], features["depth"]
        return 4 * (rgb + depth - 1) - red - alarm


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


@pytest.fixture(scope="module")
def influence():
    return patch_defense("cross-influence", model=Saw(), grid=5, fill="mean").calibrate(calm(8))


@pytest.mark.parametrize("modality", ["rgb", "depth"])
def test_influence_names_place_and_modality(influence, modality):
    inputs = attacked(calm(3, seed=2), modality)
    found = influence(inputs)
    assert influence.accused(inputs) == [modality] * 3
    assert found.mask[..., 28:34, 34:40].min() == 1
    assert found.mask.mean() < 0.25
    other = "depth" if modality == "rgb" else "rgb"
    assert torch.equal(found.inputs[other], inputs[other])
    assert found.inputs[modality][..., 30, 36].max() < 1
    assert (found.score > influence(calm(3, seed=2)).score + 1).all()


def test_both_are_accused_where_both_act(influence):
    assert influence.accused(attacked(calm(2, seed=3), "rgb", "depth")) == ["both"] * 2


def test_clean_images_are_left_alone(influence):
    clean = calm(8)
    found = influence(clean)
    assert found.mask.mean() <= 0.02  # 1 % of each modality's pixels
    ranks = influence.ranks(clean)
    assert set(ranks) == {"rgb", "depth"}
    assert all(0 <= rank.min() <= rank.max() <= 1 for rank in ranks.values())
    assert influence.ranks(attacked(clean, "rgb"))["rgb"][..., 30, 36].min() == 1


def test_influence_by_hand():
    """The mean change outside each window, averaged over the windows that cover a pixel."""
    inputs = attacked(calm(1, seed=4), "depth")
    model = Saw()
    found = patch_defense("cross-influence", model=model, grid=2).maps(inputs)["depth"]
    before = model.fuse({name: model.encode(name, value) for name, value in inputs.items()}, None).sigmoid()
    values = []
    for rows, columns in windows_of(SIDE, SIDE, 2):
        depth = inputs["depth"].clone()
        frame = torch.ones(SIDE, SIDE, dtype=torch.bool)
        frame[rows, columns] = False
        near = torch.zeros_like(frame)
        near[max(rows.start - 16, 0) : rows.stop + 16, max(columns.start - 16, 0) : columns.stop + 16] = True
        depth[..., rows, columns] = depth[0, 0][frame & near].mean()
        changed = {"rgb": inputs["rgb"], "depth": depth}
        after = model.fuse({name: model.encode(name, value) for name, value in changed.items()}, None).sigmoid()
        values.append((after - before).abs()[0, 0][frame].mean())
    assert found[0, 0, 2, 2] == pytest.approx(float(values[0]), rel=1e-4)
    assert found[0, 0, 24, 24] == pytest.approx(float(sum(values) / 4), rel=1e-4)
    assert found[0, 0, 24, 2] == pytest.approx(float((values[0] + values[2]) / 2), rel=1e-4)


def test_streams_replace_the_other_modality_by_its_mean():
    inputs = calm(2)
    flat = {"rgb": inputs["rgb"], "depth": inputs["depth"].mean((2, 3), keepdim=True).expand_as(inputs["depth"])}
    model = Saw()

    def plain(given):
        return model.fuse({name: model.encode(name, value) for name, value in given.items()}, None)

    staged, whole = by_replacement(model, inputs), by_replacement(plain, inputs)
    torch.testing.assert_close(staged.rgb, plain(flat).sigmoid())
    for one, other in zip(staged, whole, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gate_masks_where_the_maps_disagree():
    gate = patch_defense(
        "cross-gate", model=lambda x: 6 * (x["rgb"].mean(1, keepdim=True) + x["depth"] - 0.6), fill="grey"
    )
    clean = {key: 0.3 + 0.2 * value for key, value in calm(8).items()}
    gate = gate.calibrate(clean)
    assert gate(clean).mask.mean() <= 0.02
    inputs = attacked({key: value[:2] for key, value in clean.items()}, "rgb")
    found = gate(inputs)
    assert found.mask[..., 27:33, 33:39].min() == 1
    assert found.mask[..., :12, :12].max() == 0


@pytest.mark.parametrize("name", ["cross-gate", "cross-influence"])
def test_a_batch_is_its_images_and_the_surrogate_has_a_gradient(name):
    defence = patch_defense(name, model=Saw(), **({"grid": 3} if name == "cross-influence" else {})).calibrate(calm(4))
    inputs = attacked(calm(3, seed=6), "rgb")
    whole = defence(inputs)
    alone = defence({key: value[[1]] for key, value in inputs.items()})
    torch.testing.assert_close(alone.inputs["rgb"], whole.inputs["rgb"][[1]])
    torch.testing.assert_close(alone.score, whole.score[[1]])
    image = inputs["rgb"].clone().requires_grad_()
    seen = through(defence, {**inputs, "rgb": image})
    torch.testing.assert_close(seen.inputs["rgb"], whole.inputs["rgb"])
    slope = torch.autograd.grad(seen.score.sum(), image)[0]
    assert torch.isfinite(slope).all()
    assert slope.abs().sum() > 0


def test_refusals():
    inputs = scenes(2)
    with pytest.raises(UsageError, match="pass model="):
        patch_defense("cross-gate").calibrate(inputs)
    with pytest.raises(UsageError, match=r"call \.calibrate\(clean inputs\) first"):
        patch_defense("cross-influence", model=Saw())(inputs)
    with pytest.raises(UsageError, match='"depth" is missing; pass both'):
        patch_defense("cross-gate", model=Saw()).calibrate({"rgb": inputs["rgb"]})
    with pytest.raises(UsageError, match="2 windows or more"):
        patch_defense("cross-influence", grid=1)
    with pytest.raises(UsageError, match="pass shares"):
        patch_defense("cross-gate", margin=2)
    with pytest.raises(UsageError, match="such as"):
        patch_defense("cross-gate", model=Saw()).calibrate(inputs, share=0)
