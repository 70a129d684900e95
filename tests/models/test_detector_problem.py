"""Attacks on detectors: each objective against a detector with a known answer, and what is refused."""

from collections.abc import Sequence

import pytest
import torch
from detector_cases import EMPTY, TARGETS, Dots, dotted, images, objects, state_of
from torch import Tensor

from rgbdsod.attacks import Budget, pgd
from rgbdsod.errors import UsageError
from rgbdsod.models import DETECTION_OBJECTIVES, Candidates, DecodedDetector, DetectionProblem, Detector, load_detector
from rgbdsod.types import Detections, Objects

RED = objects([[16, 16, 32, 32]], [0])


class OnlyFour(Dots):
    """The protocol's four methods and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._inner = DecodedDetector(Dots(), self.classes, self.cells)

    def losses(self, images: Tensor, targets: Sequence[Objects]) -> Tensor:
        return self._inner.losses(images, targets)

    def candidates(self, images: Tensor) -> list[Candidates]:
        return self._inner.candidates(images)

    def detect(self, images: Tensor) -> list[Detections]:
        return self._inner.detect(images)


def wrapped() -> DecodedDetector:
    network = Dots()
    return DecodedDetector(network, network.classes, network.cells, name="dots")


@pytest.mark.parametrize("make", [wrapped, OnlyFour])
@pytest.mark.parametrize("name", DETECTION_OBJECTIVES.names())
def test_every_objective_reaches_its_goal(make: type, name: str) -> None:
    """The detector is linear in the light of each cell, so a few steps of any objective must be enough."""
    detector = make()
    assert isinstance(detector, Detector)
    image = dotted((1, 1, 0)) * 0.6 + 0.2  # grey ground, one red cell
    row = DETECTION_OBJECTIVES[name]
    problem = DetectionProblem(detector, [RED], objective=name, label="blue" if row.wants else None)
    assert not problem.fooled(problem.forward({"image": image})).any()
    result = pgd(problem, {"image": image}, {"image": Budget(eps=0.8)}, steps=20, step_size=0.1)
    assert bool(result.fooled), f"{name} ended at {float(result.loss)}"
    assert float(result.loss) > float(result.start_loss)


def test_the_values_of_the_objectives() -> None:
    """By hand: logits are 20 (light - 0.5), candidates are the cells, only one is on the object."""
    image, detector = dotted((1, 1, 0)), wrapped()
    look = detector.look(image)

    def value(name: str, **options: object) -> float:
        return float(DetectionProblem(detector, [RED], objective=name, **options).loss(look))  # type: ignore[arg-type]

    assert value("vanish") == pytest.approx(-10)
    assert value("misclass", label="green") == pytest.approx(-20, abs=1e-3)
    assert value("appear", label="green", places=torch.tensor([[0.0, 0, 16, 16]])) == pytest.approx(-10)
    certain = torch.tensor([10.0]).sigmoid()
    assert value("vanish-post") == pytest.approx(-float(certain), rel=1e-2)
    assert value("untargeted") == pytest.approx(float(detector.losses(image, [RED])))
    assert value("vanish-empty") == pytest.approx(-float(detector.losses(image, [EMPTY])))


def test_images_without_objects_change_neither_the_mean_nor_its_divisor() -> None:
    detector, pixels = wrapped(), torch.cat([dotted((1, 1, 0)), dotted((2, 2, 1))])
    for name in ("vanish", "vanish-post", "vanish-empty", "untargeted"):
        one = DetectionProblem(detector, [RED], objective=name)
        two = DetectionProblem(detector, [RED, EMPTY], objective=name)
        values = two.loss(two.forward({"image": pixels}))
        assert float((values * two.weights).sum() / two.weights.sum()) == pytest.approx(
            float(one.loss(one.forward({"image": pixels[:1]})))
        )
        assert two.weights.tolist() == [1, 0]
        assert two.fooled(two.forward({"image": pixels})).tolist() == [False, False]


def test_a_problem_of_some_samples_and_of_another_objective() -> None:
    detector, pixels = wrapped(), torch.cat([dotted((1, 1, 0)), dotted((2, 2, 1))])
    both = DetectionProblem(detector, [RED, objects([[32, 32, 48, 48]], [1])])
    values = both.loss(both.forward({"image": pixels}))
    part = both.select(torch.tensor([1]))
    assert torch.equal(part.loss(part.forward({"image": pixels[1:]})), values[1:])
    assert float(both.raising("untargeted").loss(both.forward({"image": pixels}))[0]) > 0


def test_what_a_patch_hides_does_not_count_and_shows_where_to_appear() -> None:
    hidden = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    hidden[:, :, 16:32, 16:32] = True
    detector, image = wrapped(), dotted((1, 1, 0))
    problem = DetectionProblem(detector, [RED])
    assert len(problem.beside(hidden).targets[0].boxes) == 0
    assert len(problem.beside(hidden & False).targets[0].boxes) == 1
    there = DetectionProblem(detector, [EMPTY], objective="appear", label="red").beside(hidden)
    assert bool(there.fooled(there.forward({"image": image})))
    elsewhere = DetectionProblem(detector, [EMPTY], objective="appear", label="red").beside(hidden.roll(16, -1))
    assert not bool(elsewhere.fooled(elsewhere.forward({"image": image})))


def test_the_pixels_of_the_objects_are_known_with_the_size() -> None:
    assert DetectionProblem(wrapped(), [RED]).objects is None
    pixels = DetectionProblem(wrapped(), [RED, EMPTY], size=(64, 48)).objects
    assert pixels is not None
    assert pixels.shape == (2, 1, 64, 48)
    assert pixels.sum((1, 2, 3)).tolist() == [256, 0]
    assert bool(pixels[0, 0, 16:32, 16:32].all())


def test_groups_are_no_targets() -> None:
    group = objects([[16, 16, 32, 32], [0, 0, 64, 64]], [0, 1], [False, True])
    assert len(DetectionProblem(wrapped(), [group]).targets[0].boxes) == 1


def test_refusals() -> None:
    detector = wrapped()
    ssd = load_detector("ssdlite320_mobilenet_v3_large", weights="random", classes=["a"])
    cases = [
        (lambda: DetectionProblem(ssd, [RED], objective="vanish-empty"), 'cannot attack ssdlite.* always 0.*"vanish"'),
        (lambda: DetectionProblem(detector, [RED], objective="hide"), 'no detection objective "hide"'),
        (lambda: DetectionProblem(detector, [RED], objective="appear"), "needs the class to be seen; pass label=NAME"),
        (lambda: DetectionProblem(detector, [RED], objective="appear", label="cat"), 'no class "cat"; it has red'),
        (lambda: DetectionProblem(detector, [EMPTY]), "no image has one; pass annotated images"),
        (lambda: DetectionProblem(detector, [objects([[4, 4, 4, 9]], [0])]), "no width or no height; drop such boxes"),
        (lambda: DetectionProblem(detector, [objects([[4, 4, 6, 9]], [7])]), "label 7, but the detector has 3 classes"),
        (
            lambda: DetectionProblem(detector, [RED]).forward({"image": torch.zeros(2, 3, 64, 64)}),
            "2 images with targets of 1; pass",
        ),
        (lambda: DetectionProblem(detector, [RED]).forward({"image": torch.zeros(1, 1, 64, 64)}), "pass .B,3,H,W."),
        (lambda: DetectionProblem(detector, [RED]).margins(None), "has no margins"),
    ]
    for make, message in cases:
        with pytest.raises(UsageError, match=message):
            make()


def test_a_decoder_with_other_shapes_is_refused() -> None:
    broken = DecodedDetector(Dots(), ["a"], Dots().cells)
    with pytest.raises(UsageError, match=r"returned logits \(1, 16, 3\) and boxes \(1, 16, 4\); expected"):
        broken.detect(dotted())


def test_an_attack_leaves_a_network_of_mixed_modes_as_it_was_also_when_it_breaks() -> None:
    detector = load_detector("fcos.tiny", weights="random")
    for place, part in enumerate(detector.network.modules()):
        part.training = place % 3 == 0
    before = state_of(detector.network)
    problem, threat = DetectionProblem(detector, TARGETS, objective="untargeted"), {"image": Budget(eps=0.1)}
    result = pgd(problem, {"image": images()}, threat, steps=2)
    assert (result.loss > result.start_loss).all()
    assert state_of(detector.network) == before

    def broken(*_: int) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        pgd(problem, {"image": images()}, threat, steps=2, callback=broken)
    assert state_of(detector.network) == before


def test_nothing_attacked_and_samples_left_out() -> None:
    """Filled-in images stay with their samples."""
    detector, pixels = wrapped(), torch.cat([dotted((1, 1, 0)), dotted((2, 2, 1))])
    both = DetectionProblem(detector, [RED, objects([[32, 32, 48, 48]], [1])])
    filled = both.given({"image": pixels}).select(torch.tensor([1]))
    assert torch.equal(filled.loss(filled.forward({})), both.loss(both.forward({"image": pixels}))[1:])
