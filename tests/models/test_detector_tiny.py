"""The small detector in the package: it finds generated shapes, an attack loses them, and its recipe makes it again."""

import json
from importlib import util
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import torch

import rgbdsod
from rgbdsod.attacks import Budget, noise, pgd
from rgbdsod.datasets import TEST_SEED, ShapeScenes, boxed_batch
from rgbdsod.metrics import attack_success, average_precision, vanish_rate
from rgbdsod.models import DetectionProblem, load_detector
from rgbdsod.models.checkpoint import file_hash

ASSETS = Path(rgbdsod.__file__).parent / "models" / "detectors" / "assets"


@pytest.fixture(scope="module")
def scenes() -> tuple[torch.Tensor, list[Any]]:
    return boxed_batch(list(ShapeScenes(40, seed=TEST_SEED)))


def test_it_finds_shapes_and_its_record_is_of_this_file(scenes: tuple[torch.Tensor, list[Any]]) -> None:
    record = json.loads((ASSETS / "fcos_tiny.json").read_text())
    file = ASSETS / "fcos_tiny.safetensors"
    assert record["sha256"] == file_hash(file)
    assert file.stat().st_size < 2e6
    assert record["figures"]["AP50"] >= 0.6
    detector = load_detector("fcos.tiny")
    with torch.no_grad():
        scores = average_precision(scenes[1], detector.detect(scenes[0]), detector.classes)
    assert scores.ap50 >= 0.55  # fewer scenes than in the record


def test_an_attack_loses_objects_that_noise_does_not(scenes: tuple[torch.Tensor, list[Any]]) -> None:
    detector, images, objects = load_detector("fcos.tiny"), scenes[0][:4], scenes[1][:4]
    problem, threat = DetectionProblem(detector, objects), {"image": Budget(eps=8 / 255)}
    with torch.no_grad():
        clean = detector.detect(images)
        rates = []
        for attack, options in ((pgd, {"steps": 10}), (noise, {})):
            result = attack(problem, {"image": images}, threat, **options)
            rates.append(vanish_rate(attack_success(objects, clean, detector.detect(result.inputs["image"]))))
    assert rates[0] >= rates[1] + 0.3


@pytest.mark.slow
def test_the_recipe_reaches_the_record() -> None:
    spec = util.spec_from_file_location(
        "make_detector", Path(__file__).resolve().parents[2] / "examples" / "make_detector.py"
    )
    assert spec is not None and spec.loader is not None
    recipe = util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    start = process_time()
    detector = recipe.train(0, 450)
    assert process_time() - start < 60
    assert recipe.figures(detector)["AP50"] >= 0.6
