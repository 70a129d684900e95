"""FastestDet with its released weights finds what the reference found, and COCO's score of it is the published one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from detector_cases import images

from rgbdsod.datasets import CocoSet, boxed_batch
from rgbdsod.errors import WeightsError
from rgbdsod.metrics import average_precision
from rgbdsod.models import DetectionProblem, load_detector

SIZE = (352, 352)  # the released preprocessing resizes in 8 bit, before the network


@pytest.fixture(scope="module")
def data(shared: Path) -> CocoSet:
    folder = shared / "data" / "coco_mini"
    return CocoSet(folder / "annotations" / "instances_val2017_mini.json", folder / "val2017")


@pytest.fixture(scope="module")
def detector(shared: Path) -> Any:
    folder = shared / "data" / "weights" / "fastestdet_coco"
    return load_detector("fastestdet", weights=folder / "weight_AP05_0.253207_280-epoch.pth")


def test_detections_and_average_precision_are_those_of_the_reference(
    shared: Path, data: CocoSet, detector: Any
) -> None:
    assert detector.classes == data.classes
    reference = json.loads((shared / "data" / "coco_mini" / "fastestdet_detections_val2017_mini.json").read_text())
    truth, found = [], []
    for image in data:
        pixels, objects = boxed_batch([image], SIZE)
        with torch.no_grad():
            (own,) = detector.detect(pixels)
        wanted = [one for one in reference if one["image_id"] == image.id]
        scores = torch.tensor(sorted((one["score"] for one in wanted), reverse=True))
        torch.testing.assert_close(own.scores, scores, rtol=0, atol=1e-4)
        best = max(wanted, key=lambda one: one["score"])
        scale = torch.tensor([image.size[1], image.size[0]] * 2) / SIZE[0]
        x, y, width, height = best["bbox"]
        torch.testing.assert_close(own.boxes[0] * scale, torch.tensor([x, y, x + width, y + height]), rtol=0, atol=0.05)
        assert data.category_ids[int(own.labels[0])] == best["category_id"]
        truth += objects
        found.append(own)
    scores_of_set = average_precision(truth, found, data.classes)
    assert scores_of_set.ap == pytest.approx(0.172, abs=5e-4)
    assert scores_of_set.ap50 == pytest.approx(0.338, abs=5e-4)


def test_it_can_be_attacked(data: CocoSet, detector: Any) -> None:
    pixels, objects = boxed_batch([data[3]], SIZE)
    problem = DetectionProblem(detector, objects, objective="vanish")
    leaf = pixels.requires_grad_()
    (gradient,) = torch.autograd.grad(problem.loss(problem.forward({"image": leaf})).sum(), leaf)
    assert gradient.abs().sum() > 0
    stepped = (pixels + 2 / 255 * gradient.sign()).clamp(0, 1).detach()
    assert problem.loss(problem.forward({"image": stepped})) > problem.loss(problem.forward({"image": pixels}))


def test_images_of_any_size_and_boxes_in_their_pixels() -> None:
    detector = load_detector("fastestdet", weights="random")
    small, large = images(1, 64), images(1, 64).repeat_interleave(2, -1)
    one, two = (detector.candidates(pixels)[0] for pixels in (small, large))
    assert one.scores.shape == (484, 80)
    assert two.boxes[..., 2].max() > 1.5 * one.boxes[..., 2].max()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"x.pth does not fit fastestdet: \d+ of \d+ keys are missing"):
        load_detector("fastestdet", weights=tmp_path / "x.pth")
