"""Average precision, what an attack did, and how well a patch was found: against answers known by hand."""

import math

import pytest
import torch
from detector_cases import EMPTY, detections, objects

from rgbdsod.errors import UsageError
from rgbdsod.metrics import attack_success, average_precision, found, localisation, vanish_rate, visible_share

CLASSES = ("cat", "dog", "cow")
TRUTH = [objects([[0, 0, 10, 10], [20, 20, 40, 40]], [0, 1]), objects([[5, 5, 25, 25]], [0])]
NOTHING = detections([], [])


def perfect() -> list:
    return [detections(one.boxes.tolist(), one.labels.tolist()) for one in TRUTH]


def test_perfect_detections_have_ap_1_and_an_absent_class_has_none() -> None:
    scores = average_precision(TRUTH, perfect(), CLASSES)
    for value in (scores.ap, scores.ap50, scores.of("cat"), scores.others("cat")):
        assert value == pytest.approx(1)
    assert math.isnan(scores.of("cow"))
    assert (scores.images, scores.objects) == (2, 3)


def test_no_detections_have_ap_0_and_no_truth_none(capsys: pytest.CaptureFixture[str]) -> None:
    scores = average_precision(TRUTH, [NOTHING, NOTHING], CLASSES)
    assert scores.ap50 == 0
    assert math.isnan(scores.of("cow"))
    assert math.isnan(average_precision([EMPTY], [NOTHING], CLASSES).ap50)
    assert math.isnan(average_precision([EMPTY], [detections([[0, 0, 4, 4]], [0])], CLASSES).ap50)
    assert capsys.readouterr().out == ""


def test_a_lost_object_and_a_false_one() -> None:
    half = [perfect()[0], NOTHING]
    assert average_precision(TRUTH, half, CLASSES).of("cat") == pytest.approx(0.5, abs=0.01)
    false_first = [detections([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0], [0.5, 0.9]), NOTHING]
    assert average_precision([*TRUTH[:1], EMPTY], false_first, CLASSES).of("cat") == pytest.approx(0.5, abs=0.01)


def test_groups_are_neither_found_nor_missed() -> None:
    truth = [objects([[0, 0, 10, 10], [20, 20, 60, 60]], [0, 0], [False, True])]
    one = detections([[0, 0, 10, 10], [30, 30, 40, 40]], [0, 0])
    assert average_precision(truth, [one], CLASSES).of("cat") == pytest.approx(1)
    success = attack_success(truth, [one], [NOTHING])
    assert success["found"].tolist() == [1]


def test_average_precision_refuses_what_does_not_fit() -> None:
    with pytest.raises(UsageError, match="2 images of truth and 1 of detections"):
        average_precision(TRUTH, [NOTHING], CLASSES)
    with pytest.raises(UsageError, match="a label is 5, but there are 3 classes"):
        average_precision(TRUTH, [detections([[0, 0, 1, 1]], [5]), NOTHING], CLASSES)
    with pytest.raises(UsageError, match='no class "pig"; classes are cat'):
        average_precision(TRUTH, perfect(), CLASSES).of("pig")


def test_found_needs_overlap_score_and_class() -> None:
    one = TRUTH[0]
    assert found(one, detections([[0, 0, 10, 9]], [0])).tolist() == [True, False]
    assert not found(one, detections([[0, 0, 10, 4]], [0])).any()
    assert not found(one, detections([[0, 0, 10, 10]], [1])).any()
    assert not found(one, detections([[0, 0, 10, 10]], [0], [0.4])).any()
    assert not found(one, NOTHING).any()
    assert found(EMPTY, perfect()[0]).shape == (0,)


def test_success_counts_objects_found_before() -> None:
    clean = [perfect()[0], NOTHING]  # the object of the second image was never found
    attacked = [detections([[0, 0, 10, 10], [0, 0, 3, 3], [70, 70, 80, 80]], [2, 1, 1]), NOTHING]
    success = attack_success(TRUTH, clean, attacked)
    assert success["found"].tolist() == [2, 0]
    assert success["vanished"].tolist() == [2, 0]
    assert success["renamed"].tolist() == [1, 0]
    assert success["flood"].tolist() == [3, 0]
    assert vanish_rate(success) == 1
    assert math.isnan(vanish_rate(attack_success(TRUTH, [NOTHING] * 2, [NOTHING] * 2)))
    with pytest.raises(UsageError, match="2 images of truth, 1 clean and 2 attacked"):
        attack_success(TRUTH, clean[:1], attacked)


def test_visible_share() -> None:
    hidden = torch.zeros(40, 60, dtype=torch.bool)
    hidden[:, :30] = True
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 40, 40], [40, 0, 60, 40], [25, 5, 35, 15]])
    assert visible_share(boxes, hidden).tolist() == [0, 0.5, 1, 0.5]


def test_localisation_pools_and_averages() -> None:
    true, guess = (torch.zeros(3, 1, 8, 8, dtype=torch.bool) for _ in range(2))
    true[0, :, :4], guess[0, :, :2] = True, True  # a half
    true[1, :, 0, 0], guess[1, :, 0, 1] = True, True  # beside it
    found = localisation(guess, true)
    assert found.per_image.tolist() == [0.5, 0, 1]
    assert found.mean == pytest.approx(0.5)
    assert found.pooled == pytest.approx(16 / 34)
    with pytest.raises(UsageError, match="pass"):
        localisation(guess[:2], true)
