"""A user's own detector: from a function in a file, and what is refused of its answers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from detector_cases import TARGETS, images

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models import DETECTORS, Candidates, DecodedDetector, load_detector
from rgbdsod.models.detectors.user import check_answers, check_detector, open_detector
from rgbdsod.types import Detections

BUILDERS = [row.name for row in DETECTORS if row.family in ("fcos", "retinanet", "ssd", "rcnn") and not row.weights]

FILE = """
from detector_cases import Dots
from rgbdsod.models import DecodedDetector

def build():
    network = Dots()
    return DecodedDetector(network, network.classes, network.cells, name="dots")

def bare():
    return Bare()

class Bare:
    classes = ("red",)
    losses = candidates = detect = lambda self, images: []

def nothing():
    return 3

def broken():
    return 1 / 0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(FILE)
    return path


def test_a_function_in_a_file_gives_a_detector(file: Path) -> None:
    made = open_detector(f"{file}:build")
    assert isinstance(made, DecodedDetector)
    assert made.classes == ("red", "green", "blue")
    assert getattr(open_detector(f"{file}:bare"), "name", "") == "own.bare"
    assert open_detector("fcos.tiny").classes == ("disc", "square", "triangle")


@pytest.mark.parametrize(
    ("function", "options", "text"),
    [
        ("", {}, "name the function that returns the detector, as in --detector"),
        (":nowhere", {}, 'has no function "nowhere"'),
        (":nothing", {}, "returned int, which has no losses, candidates, detect, classes; return a TorchvisionDet"),
        (":broken", {}, "broken failed: ZeroDivisionError: division by zero"),
        (":build", {"weights": "w.pth"}, "loads its own, so leave --weights out"),
        (":build", {"classes": ["a"]}, "loads its own, so leave --classes out"),
    ],
)
def test_mistakes_in_a_users_file_are_explained(file: Path, function: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=r".") as error:
        open_detector(f"{file}{function}", **options)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


class Answering:
    """Answers whatever it is told to."""

    classes: Any = ("a", "b")

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def candidates(self, pixels: torch.Tensor) -> Any:
        scores = pixels.mean() * torch.ones(5, 2)
        return self.answers.get("candidates", [Candidates(scores, torch.zeros(5, 1, 4))] * len(pixels))

    def detect(self, pixels: torch.Tensor) -> Any:
        found = Detections(torch.zeros(1, 4), torch.ones(1), torch.zeros(1, dtype=torch.int64))
        return self.answers.get("detect", [found] * len(pixels))

    def losses(self, pixels: torch.Tensor, targets: Any) -> Any:
        if "losses" in self.answers:
            return self.answers["losses"]
        raise NotImplementedError("none")


def seen(boxes: Any = (1, 4), scores: float = 0.5, label: int = 0) -> list[Detections]:
    return [Detections(torch.zeros(boxes), torch.full((1,), scores), torch.full((1,), label))] * 2


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({"detect": seen()[:1]}, "detect of own gave 1 answers to 2 images"),
        ({"detect": [3, 3]}, "detect of own gave int; give a rgbdsod.types.Detections"),
        ({"detect": seen((1, 5))}, r"gave boxes (1, 5), scores (1,), labels (1,); expected (N,4)"),
        ({"detect": seen(label=2)}, "gave label 2; labels are positions among its 2 classes"),
        ({"detect": seen(scores=7.0)}, "gave scores up to 7; expected them in [0, 1]"),
        ({"candidates": [3, 3]}, "candidates of own gave int"),
        ({"candidates": [Candidates(torch.zeros(5, 3), torch.zeros(5, 1, 4))] * 2}, "expected (K,2) and (K,1,4)"),
        ({"candidates": [Candidates(torch.zeros(5, 2), torch.zeros(5, 1, 4))] * 2}, "have no gradient to the images"),
    ],
)
def test_answers_that_cannot_be_used_are_refused(answers: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=r".") as error:
        check_answers(Answering(**answers), images(), "own")
    assert text in str(error.value)


def test_the_loss_is_asked_for_only_where_it_is_needed() -> None:
    check_answers(Answering(), images(), "own")
    with pytest.raises(UsageError, match="losses of own failed: NotImplementedError: none"):
        check_answers(Answering(), images(), "own", losses=TARGETS)
    with pytest.raises(UsageError, match=r"losses of own have shape \(\); expected one for each image, \(2,\)"):
        check_answers(Answering(losses=torch.zeros(())), images(), "own", losses=TARGETS)


def test_classes_are_names() -> None:
    made = Answering()
    for wrong in ("abc", (), (1, 2)):
        made.classes = wrong
        with pytest.raises(UsageError, match="expected a sequence of their names"):
            check_detector(made, "own")


@pytest.mark.parametrize("name", BUILDERS)
def test_every_builder_says_what_it_lacks(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"{name} has no built-in weights; pass the file of its state dict"):
        open_detector(name)
    with pytest.raises(WeightsError, match=r"none\.pth"):
        open_detector(name, weights=tmp_path / "none.pth")


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_a_file_of_other_classes_is_refused_until_they_are_named(name: str, tmp_path: Path) -> None:
    file = tmp_path / "three.pth"
    made = load_detector(name, weights="random", classes=["a", "b", "c"])
    torch.save(made.network.state_dict(), file)
    with pytest.raises(WeightsError, match=r"three\.pth does not fit .* have another shape .* classes=\[\.\.\.\]"):
        open_detector(name, weights=file)
    with pytest.raises(WeightsError, match="have another shape"):
        open_detector(name, weights=file, classes=["a", "b"])
    assert open_detector(name, weights=file, classes=["a", "b", "c"]).classes == ("a", "b", "c")
    with pytest.raises(WeightsError, match="keys are missing"):
        open_detector("fcos.tiny", weights=file)
