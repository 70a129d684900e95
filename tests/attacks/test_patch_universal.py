"""One patch for all pictures: fitted, interrupted, hung on others, and beside its controls."""

import re

import pytest
import torch
from attacks_problems import gains, rand
from patch_scenes import drawn, pictures, victim

from rgbdsod.attacks import Budget, Patch, control_patches, fit_patch, hang_patch
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.universal.fitting import Batch
from rgbdsod.errors import DataError, UsageError

RGB = {"rgb": Budget(eps=1.0)}
BOTH = {**RGB, "depth": Budget(eps=1.0)}
SHORT = {"steps": 45, "patch_size": "8%", "canvas": 8, "transforms": "digital"}


def batches(count: int = 3):
    found = []
    for at in range(count):
        problem, inputs = victim(2, 24 + 4 * (at % 2))
        found.append((problem, {name: rand(7 * at, *value.shape) for name, value in inputs.items()}))
    return found


def test_finds_the_best_colour_of_a_linear_problem():
    """All weights are positive for red and negative for the rest: the best patch is red wherever it hangs."""
    weights = {"rgb": torch.ones(4, 3, 16, 16)}
    weights["rgb"][:, 1:] = -1
    problem, inputs = gains(weights), {"rgb": torch.full((4, 3, 16, 16), 0.5)}
    patch = fit_patch([(problem, inputs)], RGB, **{**SHORT, "transforms": "none", "steps": 60})
    assert (patch.content[0] > 0.95).all()
    assert (patch.content[1:] < 0.05).all()
    assert patch.facts["looks"] == sorted(patch.facts["looks"])
    assert patch.modality == "rgb"


@pytest.mark.parametrize("mode", ["plane", "free"])
def test_gains_on_pictures_of_several_sizes(mode):
    patch = fit_patch(batches(), BOTH, depth_mode=mode, **SHORT)
    assert len(patch.facts["looks"]) == 4  # before steps 0, 20 and 40, and at the end
    assert patch.facts["value"] == max(patch.facts["looks"]) > patch.facts["looks"][0]
    assert torch.allclose(patch.content * 255, (patch.content * 255).round(), atol=1e-3)
    assert patch.modality == "both"


def test_an_interrupted_fit_ends_at_the_same_patch(tmp_path):
    whole = fit_patch(batches(), BOTH, **SHORT)

    def stop(done: int, total: int) -> None:
        if done == 33:
            raise KeyboardInterrupt

    file = tmp_path / "state" / "fit.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_patch(batches(), BOTH, keep=file, callback=stop, **SHORT)
    steps = []
    again = fit_patch(batches(), BOTH, keep=file, callback=lambda done, total: steps.append(done), **SHORT)
    assert steps[0] == 21
    assert torch.equal(again.content, whole.content)
    assert again.plane == whole.plane
    assert again.facts == whole.facts
    with pytest.raises(UsageError, match="belongs to a fit with other settings"):
        fit_patch(batches(), BOTH, keep=file, seed=1, **SHORT)
    file.write_bytes(b"nothing")
    with pytest.raises(DataError, match="is damaged"):
        fit_patch(batches(), BOTH, keep=file, **SHORT)


def test_pictures_without_a_place_are_left_out():
    problem, inputs = victim(2, 24)
    masks = problem.objects.float()
    masks[0] = 0
    own = type(problem)(problem.modules[0], masks)
    patch = fit_patch([(own, inputs)], RGB, where="off-object", **SHORT)
    assert patch.facts["steps"] == 45
    nowhere = type(problem)(problem.modules[0], torch.zeros_like(masks))
    with pytest.raises(UsageError, match="none of the pictures has a place for the patch"):
        fit_patch([(nowhere, inputs)], RGB, where="on-object", **SHORT)


def test_masks_of_a_batch_are_kept():
    problem, inputs = victim(1, 24)
    free = torch.zeros(1, 1, 24, 24)
    fit = fit_patch([Batch(problem, inputs, {"depth": free})], {"depth": Budget(eps=1.0)}, **SHORT)
    assert len(set(fit.facts["looks"])) == 1  # nothing may change, so nothing is gained


@pytest.mark.parametrize(
    ("data", "threat", "settings", "text"),
    [
        ([], RGB, {}, "there are no batches to fit a patch on"),
        (None, {}, {}, "no input may change, so no patch can be fitted"),
        (None, RGB, {"canvas": 0}, "--canvas 0: one patch for all pictures needs a size"),
        (None, RGB, {"where": "worst"}, "--where worst seeks a place for each picture"),
        (None, RGB, {"steps": 0}, "--steps 0 is too few"),
        (None, {"rgb": Budget("l2", 1.0)}, {}, 'attack "patch" takes --norm linf'),
    ],
)
def test_fits_that_cannot_be_meant(data, threat, settings, text):
    with pytest.raises(UsageError, match=f"^{re.escape(text)}"):
        fit_patch(batches(1) if data is None else data, threat, **settings)


def test_hanging_is_seeded_and_leaves_the_rest_alone():
    inputs, patch = pictures(3), drawn("disc")
    first = hang_patch(inputs, patch, seed=4, sample_ids=["a", "b", "c"])
    assert first.placed.all()
    assert first.inputs["depth"] is inputs["depth"]
    own = {name: value[1:2] for name, value in inputs.items()}
    alone = hang_patch(own, patch, seed=4, sample_ids=["b"])
    assert torch.equal(alone.inputs["rgb"][0], first.inputs["rgb"][1])
    assert torch.equal(alone.mask[0], first.mask[1])
    objects = torch.zeros(3, 1, 24, 30, dtype=torch.bool)
    objects[0, :, 2:20, 2:24] = True
    on = hang_patch(inputs, patch, where="on-object", objects=objects, patch_size="4%")
    assert on.placed.tolist() == [True, False, False]
    assert torch.equal(on.inputs["rgb"][1:], inputs["rgb"][1:])
    assert not on.mask[1:].any()


def test_draws_of_a_test_are_others_than_those_of_an_attack():
    inputs, patch = pictures(), drawn("disc")
    one, again, two = (hang_patch(inputs, patch, transforms="print", draw=draw) for draw in (0, 0, 1))
    assert torch.equal(one.inputs["rgb"], again.inputs["rgb"])
    assert not torch.equal(one.inputs["rgb"], two.inputs["rgb"])


def test_a_hung_card_is_where_its_plane_is():
    patch = drawn(mode="plane", plane=(0.8, 0.2, -0.1))
    found = hang_patch(pictures(), patch, depth_kind=str(DepthKind()))
    assert found.inputs["depth"][found.mask].mean().item() == pytest.approx(0.8, abs=0.05)


def test_hanging_what_does_not_fit():
    with pytest.raises(UsageError, match="the patch changes rgb, and the inputs are depth"):
        hang_patch({"depth": pictures()["depth"]}, drawn())
    with pytest.raises(UsageError, match="--where worst seeks a place with gradients"):
        hang_patch(pictures(), drawn(), where="worst")


def test_controls_are_alike_in_shape_and_depth():
    patch = drawn("disc", mode="relief", plane=(0.7, 0.1, 0.0), relief=rand(3, 1, 6, 7) / 40)
    found = control_patches(patch, crop=rand(4, 3, 30, 20), other=patch)
    assert list(found) == ["grey", "noise", "crop", "other", "shuffled"]
    for name, control in found.items():
        assert torch.equal(control.alpha, patch.alpha)
        assert (control.depth_mode, control.plane) == (patch.depth_mode, patch.plane)
        assert control.facts["control"] == name
        assert control.relief.abs().max() <= patch.relief.abs().max() + 1e-6
    inside = patch.alpha[0] >= 0.5
    ours, shuffled = (one.content[:, inside].sort(1).values for one in (patch, found["shuffled"]))
    assert torch.equal(ours, shuffled)
    assert not torch.equal(found["shuffled"].content, patch.content)
    assert torch.equal(control_patches(patch, seed=1)["noise"].content, control_patches(patch, seed=1)["noise"].content)


def test_controls_that_cannot_be():
    with pytest.raises(UsageError, match="the other patch changes both, this one rgb"):
        control_patches(drawn(), other=drawn(mode="card", plane=(0.5, 0.0, 0.0)))
    with pytest.raises(UsageError, match=r"a crop of shape \(1, 4, 4\)"):
        control_patches(drawn(), crop=torch.zeros(1, 4, 4))
    assert isinstance(control_patches(drawn())["grey"], Patch)
