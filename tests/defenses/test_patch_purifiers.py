"""What holds for every defence against patches, and what each one does by hand."""

import numpy as np
import pytest
import torch
from patch_victims import overlap, photographs, scenes
from scipy.ndimage import label, median_filter

from rgbdsod.attacks import Bpda
from rgbdsod.defenses import FILLS, PATCH_DEFENSES, Defended, Purifier, fill, patch_defense, through
from rgbdsod.defenses.patch.blobs import areas, fill_holes, labels
from rgbdsod.defenses.patch.entropy import window_entropies
from rgbdsod.defenses.patch.lgs import edges

NAMES = [row.name for row in PATCH_DEFENSES]
FREE = [row.name for row in PATCH_DEFENSES if not row.needs]
EXACT = [name for name in FREE if PATCH_DEFENSES[name].load().differentiable == "exact"]
LOCALISERS = [row.name for row in PATCH_DEFENSES if row.kind == "localiser" and not row.needs]


@pytest.mark.parametrize("name", FREE)
def test_a_batch_is_its_images(name):
    inputs = scenes(4)
    defence = patch_defense(name)
    assert isinstance(defence, Purifier)
    whole = defence(inputs)
    for row in range(4):
        alone = defence({key: value[[row]] for key, value in inputs.items()})
        for key, value in alone.inputs.items():
            torch.testing.assert_close(value, whole.inputs[key][[row]], rtol=0, atol=1e-6)
        torch.testing.assert_close(alone.mask, whole.mask[[row]])
        torch.testing.assert_close(alone.score, whole.score[[row]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FREE)
def test_what_comes_back(name):
    inputs = scenes(2)
    found, again = (patch_defense(name)(inputs) for _ in range(2))
    assert found.mask.shape == (2, 1, 48, 48)
    assert found.score.shape == (2,)
    for key, value in found.inputs.items():
        assert value.shape == inputs[key].shape
        assert 0 <= value.min() <= value.max() <= 1
        assert torch.equal(value, again.inputs[key])
    if PATCH_DEFENSES[name].kind == "localiser":
        assert found.inputs["depth"] is inputs["depth"]
        same = torch.equal(found.inputs["rgb"] * (1 - found.mask), inputs["rgb"] * (1 - found.mask))
        assert same, "a pixel outside the mask changed"


@pytest.mark.parametrize("name", FREE)
def test_constant_images_stay(name):
    inputs = {"image": torch.full((2, 3, 40, 44), 0.2)}
    found = patch_defense(name)(inputs)
    torch.testing.assert_close(found.inputs["image"], inputs["image"], rtol=0, atol=0.02)
    assert torch.isfinite(found.score).all()


@pytest.mark.parametrize("name", LOCALISERS)
def test_calibrated_masks_are_rare_on_clean_images(name):
    clean = scenes(8, seed=3)
    half = {key: value[:4] for key, value in clean.items()}
    defence = patch_defense(name).calibrate(half)
    assert defence(half).mask.mean() <= 0.01
    assert type(defence) is type(patch_defense(name))


@pytest.mark.parametrize("name", EXACT)
def test_exact_gradients_are_those_of_differences(name):
    """A smooth functional of the purified image, along drawn directions."""
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(1, 3, 12, 12, generator=generator, dtype=torch.float64)
    weight = torch.rand(1, 3, 12, 12, generator=generator, dtype=torch.float64)
    defence = patch_defense(name)

    def value(at):
        return (weight * defence({"image": at}).inputs["image"].square()).sum()

    point = image.clone().requires_grad_()
    slope = torch.autograd.grad(value(point), point)[0]
    ways = torch.randn(12, *image.shape, generator=generator, dtype=torch.float64)
    step = 1e-6
    differences = torch.stack([(value(image + step * way) - value(image - step * way)) / (2 * step) for way in ways])
    along = (ways * slope).flatten(1).sum(1)
    assert torch.cosine_similarity(differences, along, dim=0) > 0.99


@pytest.mark.parametrize("name", FREE)
def test_aware_attacks_see_the_true_values_and_a_gradient(name):
    inputs = scenes(2)
    image = inputs["rgb"].clone().requires_grad_()
    seen = through(patch_defense(name), {**inputs, "rgb": image})
    true = patch_defense(name)(inputs)
    torch.testing.assert_close(seen.inputs["rgb"], true.inputs["rgb"])
    torch.testing.assert_close(seen.mask, true.mask)
    slope = torch.autograd.grad(seen.inputs["rgb"].square().sum(), image, retain_graph=True)[0]
    assert torch.isfinite(slope).all()
    assert slope.abs().sum() > 0
    if name in LOCALISERS:
        penalty = torch.autograd.grad(seen.score.sum(), image)[0]
        assert torch.isfinite(penalty).all()


def test_lowering_the_surrogates_score_hides_the_patch_from_jedi_and_lgs():
    inputs = scenes(4, side=64)
    patched = {key: value[2:] for key, value in inputs.items()}
    inside = torch.zeros(1, 1, 64, 64)
    inside[..., 8:24, 16:32] = 1
    for name in ("lgs", "jedi"):
        defence = patch_defense(name, threshold=-1.0 if name == "jedi" else 0.1)
        image = patched["rgb"].clone().requires_grad_()
        before = defence({"rgb": image}).score
        for _ in range(8):
            slope = torch.autograd.grad(defence.surrogate({"rgb": image}).score.sum(), image)[0]
            image = (image - 0.05 * slope.sign() * inside).clamp(0, 1).detach().requires_grad_()
        assert (defence({"rgb": image}).score < before).all()


def test_median_is_scipys():
    """With a gradient to come the values are found in another way, and are the same."""
    image = torch.rand(2, 3, 17, 20)
    for window in (3, 5, 7):
        expected = median_filter(image.numpy(), (1, 1, window, window), mode="mirror")
        for x in (image, image.clone().requires_grad_(), image.double()):
            found = patch_defense("median", window=window)({"image": x}).inputs["image"]
            np.testing.assert_array_equal(found.detach().numpy(), expected)
            assert found.requires_grad == x.requires_grad


def test_total_variation_lowers_its_objective_to_the_known_optimum():
    """A bar of width w and height h over zero, along one axis: its height falls by 2 weight / w."""
    image = torch.zeros(1, 1, 3, 40)
    image[..., 10:20] = 0.5
    found = patch_defense("tv", weight=0.05, steps=2000)({"depth": image}).inputs["depth"]
    torch.testing.assert_close(found[0, 0, 1, 12:18], torch.full((6,), 0.5 - 2 * 0.05 / 10), rtol=0, atol=2e-3)


def test_bits_and_jpeg_by_hand():
    image = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    rounded = patch_defense("bits", bits=1)({"depth": image}).inputs["depth"]
    assert torch.equal(rounded, image.round())
    found = patch_defense("jpeg", quality=100)({"depth": image}).inputs["depth"]
    assert (found - image).abs().max() < 0.02


def test_lgs_darkens_dense_edges_alone():
    image = torch.full((1, 3, 64, 64), 0.5)
    image[..., 20:40, 20:40] = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    found = patch_defense("lgs")({"image": image})
    assert found.mask[..., 22:38, 22:38].min() == 1
    assert found.mask[..., 50:, 50:].max() == 0
    strength = (2.3 * edges(image)).clamp(0, 1)
    torch.testing.assert_close(found.inputs["image"], image * (1 - found.mask * strength))


def test_entropies_are_those_of_histograms():
    image = (torch.rand(2, 1, 18, 21) * 20).round() / 255
    found = window_entropies(image, 4, (2, 3))
    for sides, values in zip((2, 3), found, strict=True):
        for y in range(values.shape[2]):
            for x in range(values.shape[3]):
                window = image[1, 0, 4 * y : 4 * (y + sides), 4 * x : 4 * (x + sides)]
                share = torch.unique((window * 255).round(), return_counts=True)[1] / window.numel()
                assert values[1, 0, y, x] == pytest.approx(float(-(share * share.log2()).sum()), abs=1e-4)


def test_regions_are_scipys():
    mask = torch.rand(3, 1, 40, 37, generator=torch.Generator().manual_seed(2)) > 0.62
    sizes = areas(labels(mask))
    for one, size in zip(mask, sizes, strict=True):
        regions, _ = label(one[0].numpy(), np.ones((3, 3)))
        expected = np.bincount(regions.ravel())[regions] * (regions > 0)
        np.testing.assert_array_equal(size[0].numpy(), expected)


def test_holes_are_what_does_not_reach_the_border():
    ring = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    ring[..., 2:7, 2:7] = True
    full = ring.clone()
    ring[..., 3:6, 3:6] = False
    assert torch.equal(fill_holes(ring), full)
    gap = ring.clone()
    gap[..., 2, 3:6] = False
    assert torch.equal(fill_holes(gap), gap)


@pytest.mark.parametrize("how", FILLS)
def test_fills_keep_what_is_visible_and_forget_the_rest(how):
    image = scenes(2)["rgb"]
    mask = torch.zeros(2, 1, 48, 48)
    mask[0, :, 10:20, 12:30] = 1
    found = fill(image, mask, how)
    assert torch.equal(found * (1 - mask), image * (1 - mask))
    assert torch.equal(found[1], image[1])
    other = torch.where(mask > 0, torch.rand_like(image), image)
    torch.testing.assert_close(fill(other, mask, how), found, rtol=0, atol=1e-5)
    assert 0 <= found.min() <= found.max() <= 1


def test_inpainting_continues_a_ramp():
    image = torch.linspace(0, 1, 32).expand(1, 1, 32, 32).contiguous()
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 12:18, 8:14] = 1
    torch.testing.assert_close(fill(image * (1 - mask), mask, "inpaint"), image, rtol=0, atol=0.01)


def test_reference_rows():
    inputs = scenes(3)
    truth = torch.zeros(3, 1, 48, 48, dtype=torch.bool)
    truth[..., 8:24, 16:32] = True
    both = patch_defense("oracle").given(truth)(inputs)
    depth = patch_defense("oracle", on=("depth",)).given(truth)(inputs)
    assert depth.inputs["rgb"] is inputs["rgb"]
    assert torch.equal(depth.inputs["depth"], both.inputs["depth"])
    elsewhere = patch_defense("random-mask", seed=1).given(truth, ["a", "b", "c"])
    assert torch.equal(elsewhere(inputs).score, both.score)
    assert overlap(elsewhere(inputs).mask > 0, truth).max() < 0.05
    one = patch_defense("random-mask", seed=1).given(truth[[1]], ["b"])
    assert torch.equal(one.mask, elsewhere.mask[[1]])


def test_a_defended_model_has_the_values_of_the_defence():
    inputs = scenes(2)

    def model(images):
        return images["rgb"].mean(1, keepdim=True) - images["depth"]

    defended = Defended(model, patch_defense("bits", bits=2))
    expected = model({key: Bpda(lambda x: (x * 3).round() / 3)(value) for key, value in inputs.items()})
    torch.testing.assert_close(defended(inputs), expected)


def test_real_patches_in_photographs(shared):
    """Measured: every pixel of all eight flagged by LGS, mean IoU 0.41; Jedi finds six of eight, mean IoU 0.43."""
    images, truth = photographs(shared)
    lgs, jedi = (patch_defense(name, **more)({"image": images}).mask > 0.5 for name, more in CHEAP.items())
    recall = (lgs & truth).flatten(1).sum(1) / truth.flatten(1).sum(1)
    assert recall.min() > 0.95
    assert overlap(lgs, truth).mean() > 0.35
    assert (overlap(jedi, truth) > 0.25).sum() == 6
    assert overlap(jedi, truth).mean() > 0.38


CHEAP = {"lgs": {}, "jedi": {"fill": "grey"}}  # the fill is not what is measured
