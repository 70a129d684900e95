"""Defences that were learned for one victim: the small detector's class for patches, and its frame."""

import json

import pytest
import torch
from patch_victims import Pair, detector_images, overlap
from safetensors.torch import save_file

from rgbdsod.defenses import patch_defense, through
from rgbdsod.defenses.patch.learned.adyolo import painted, with_patch_class
from rgbdsod.defenses.patch.learned.frame import border, framed
from rgbdsod.defenses.patch.learned.weights import ASSETS
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models import load_detector


@pytest.fixture(scope="module")
def detector():
    return load_detector("fcos.tiny")


@pytest.fixture(scope="module")
def adyolo(detector):
    images, _ = detector_images(8)
    return patch_defense("adyolo", fill="mean").in_front_of(detector).calibrate({"image": images})


def patched(count, seed=21):
    """Shapes with a square of noise, and where it is."""
    images, _ = detector_images(count, seed)
    noise = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    where = torch.zeros(count, 1, 128, 128, dtype=torch.bool)
    images[:, :, 40:72, 60:92] = torch.nn.functional.interpolate(noise, (32, 32))
    where[..., 40:72, 60:92] = True
    return images, where


@pytest.mark.parametrize("name", ["adyolo", "frame_fcos"])
def test_what_is_shipped_is_small_and_recorded(name):
    record = json.loads((ASSETS / f"{name}.json").read_text())
    assert record["bytes"] == (ASSETS / f"{name}.safetensors").stat().st_size < 600_000
    assert record["command"].startswith(f"python examples/make_victim_defenses.py {name} --seed")


def test_a_new_class_leaves_the_others_as_they_are(detector):
    """Untuned, the last class is the mean of the others, and these have their scores."""
    images, _ = detector_images(2)
    before, after = detector.candidates(images), with_patch_class(detector).candidates(images)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other.scores[:, :3], one.scores)
        torch.testing.assert_close(other.scores[:, 3], one.scores.mean(1), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(other.boxes, one.boxes)


def test_boxes_are_painted_with_the_largest_probability():
    boxes = torch.tensor([[0.0, 0, 4, 4], [2, 2, 6, 6]])
    found = painted(torch.tensor([0.0, 2.0]), boxes, (8, 8))[0]
    high = float(torch.tensor(2.0).sigmoid())
    assert [float(found[at]) for at in ((1, 1), (3, 3), (5, 5), (7, 7))] == pytest.approx([0.5, high, high, 0])


def test_adyolo_masks_patches_and_leaves_clean_images_alone(adyolo):
    clean, _ = detector_images(8)
    assert adyolo({"image": clean}).mask.mean() <= 0.01
    images, where = patched(8)
    found = adyolo({"image": images})
    inside = (found.mask * where).flatten(1).sum(1) / where.flatten(1).sum(1)
    assert (inside > 0.5).float().mean() >= 0.5
    assert overlap(found.mask > 0.5, where).mean() > 0.3
    for row in range(8):
        alone = adyolo({"image": images[[row]]})
        torch.testing.assert_close(alone.inputs["image"], found.inputs["image"][[row]])


def test_an_aware_attack_can_lower_the_class(adyolo):
    images, where = patched(4)
    image = images.clone().requires_grad_()
    seen = through(adyolo, {"image": image})
    torch.testing.assert_close(seen.inputs["image"], adyolo({"image": images}).inputs["image"])
    before = adyolo({"image": images}).score
    for _ in range(6):
        slope = torch.autograd.grad(adyolo.surrogate({"image": image}).score.sum(), image)[0]
        image = (image - 0.08 * slope.sign() * where).clamp(0, 1).detach().requires_grad_()
    assert (adyolo({"image": image}).score < before).float().mean() >= 0.75


def test_adyolo_is_for_one_victim(detector, tmp_path):
    with pytest.raises(UsageError, match=r"for fcos\.tiny alone, and the victim is pair; leave it out"):
        patch_defense("adyolo").in_front_of(Pair())
    with pytest.raises(UsageError, match="tuned on other weights"):
        patch_defense("adyolo").in_front_of(load_detector("fcos.tiny", weights="random"))
    with pytest.raises(UsageError, match=r"call \.in_front_of\(detector\) first"):
        patch_defense("adyolo")({"image": torch.rand(1, 3, 64, 64)})
    file = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, file)
    with pytest.raises(WeightsError, match='the layer "weight" does not fit'):
        patch_defense("adyolo", weights=file).in_front_of(detector)


def test_a_frame_covers_the_border_alone(detector):
    images, _ = detector_images(3)
    frame = patch_defense("frame").in_front_of(detector)
    found = frame({"image": images}).inputs["image"]
    outside = border((128, 128))
    assert outside.float().mean() == pytest.approx(1 - (1 - 12 / 128) ** 2)
    assert torch.equal(found[..., ~outside], images[..., ~outside])
    assert torch.equal(found[0][:, outside], found[1][:, outside])
    assert found.min() >= 0
    assert found.max() <= 1
    wide = frame({"image": torch.rand(1, 3, 60, 90)}).inputs["image"]
    assert torch.equal(frame({"image": images[[1]]}).inputs["image"], found[[1]])
    assert wide.shape == (1, 3, 60, 90)


def test_the_gradient_through_a_frame_is_exact():
    frame = torch.rand(3, 16, 16, dtype=torch.float64)
    image = torch.rand(1, 3, 40, 40, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(framed(image, frame).square().sum(), image)[0]
    inside = ~border((40, 40))
    torch.testing.assert_close(slope, 2 * image.detach() * inside)


def test_the_frame_costs_patches_more_than_grey_does():
    """Of the loss that patches made against each of them reach, on scenes that learning never saw."""
    losses = json.loads((ASSETS / "frame_fcos.json").read_text())["figures"]["mean loss"]
    assert losses["frame"]["patched"] < losses["grey"]["patched"] - 0.1


def test_a_frame_is_for_its_victim(tmp_path):
    with pytest.raises(UsageError, match=r"there is none for pair; it is built in for fcos\.tiny"):
        patch_defense("frame").in_front_of(Pair())
    with pytest.raises(UsageError, match="or pass weights="):
        patch_defense("frame")({"image": torch.rand(1, 3, 64, 64)})
    file = tmp_path / "own.safetensors"
    save_file({"frame": torch.zeros(3, 8, 8)}, file)
    own = patch_defense("frame", weights=file).in_front_of(Pair())
    assert own({"rgb": torch.ones(1, 3, 40, 40)}).inputs["rgb"][0, :, 0, 0].max() == 0
    save_file({"other": torch.zeros(3)}, file)
    with pytest.raises(WeightsError, match='holds no "frame"'):
        patch_defense("frame", weights=file)
