"""Certificates over sets of images, and what a patch reached object by object."""

import json
import math

import pytest
import torch
from detector_cases import detections, objects
from run_models import tiny

from rgbdsod.datasets import TEST_SEED, ShapeScenes, boxed_batch, load_dataset
from rgbdsod.defenses import certify, cover, half_masks, recalled, seek
from rgbdsod.errors import UsageError
from rgbdsod.models import load_detector
from rgbdsod.run import certify_detections, certify_maps
from rgbdsod.run.modeling import inputs_of
from rgbdsod.run.patch_certify.choice import patch_of
from rgbdsod.run.patch_certify.maps import measures
from rgbdsod.run.patch_defense.detect_success import beyond, of_class, own_output, success

DATA = "scenes:3@32x32#3"


def test_maps_are_those_of_the_function(tmp_path):
    model = tiny()
    result = certify_maps(model, DATA, sizes="3x3", aims="recovery", modality="rgb,both", batch=2, out=tmp_path / "run")
    assert [row["modality"] for row in result.rows] == ["rgb", "both"]
    data = load_dataset(DATA)
    batch = inputs_of([data[at] for at in range(3)], model.inputs, torch.device("cpu"))
    inputs = {name: batch[name] for name in model.inputs}
    found = certify(model, inputs, cover((32, 32), (3, 3), "recovery"), threat="both", fill="inpaint")
    bounds, row = found.bounds(batch["mask"]), result.rows[1]
    assert row["certified"] == pytest.approx(float(found.share.mean()))
    assert row["iou_least"] == pytest.approx(float(bounds.iou.mean()))
    assert row["mae_most"] == pytest.approx(float(bounds.mae.mean()))
    assert row["iou_least"] <= row["iou_defended"] and row["mae_most"] >= row["mae_defended"]
    assert (row["height"], row["width"], row["copies"]) == (3, 3, 5)
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert stored["certificates"] == result.rows
    assert "certain for every patch of at most that size" in result.summary()


def test_detections_are_those_of_the_function():
    result = certify_detections("fcos.tiny", n_samples=2, sizes="6x6,12x12", lines=20, device="cpu", batch=1)
    detector = load_detector("fcos.tiny")
    images, truth = boxed_batch(list(ShapeScenes(2, seed=TEST_SEED)))
    hidden = half_masks((128, 128), 20)
    sought = seek(detector.detect, images, hidden)
    for row, patch in zip(result.rows, ((6, 6), (12, 12)), strict=True):
        sure = [recalled(one, seen, hidden, patch) for one, seen in zip(truth, sought, strict=True)]
        total = sum(len(one.boxes) for one in truth)
        assert (row["objects"], row["copies"]) == (total, 80)
        assert row["certified"] == sum(int(one.anywhere.sum()) for one in sure) / total
        assert row["certified_apart"] == sum(int(one.apart.sum()) for one in sure) / total
        assert row["certified"] <= row["certified_apart"]
    assert result.rows[0]["certified_apart"] > 0
    assert result.rows[1]["certified_apart"] <= result.rows[0]["certified_apart"]
    assert "ap50_defended" in result.rows[0] and "objectseeker" in result.summary()


def test_the_size_of_a_patch():
    assert patch_of("1%", (100, 100)) == (10, 10)
    assert patch_of("0.011", (100, 100)) == (11, 11)  # never smaller than was asked for
    assert patch_of("3x5", (100, 100)) == (3, 5)
    with pytest.raises(UsageError, match="200x5 pixels are larger than an image of 100x100"):
        patch_of("200x5", (100, 100))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"sizes": "500%"}, "the patch is larger than the image"),
        ({"sizes": ""}, "--size is empty"),
        ({"aims": "recover"}, "--aim recover: expected one of recovery, detection"),
        ({"layouts": "rows"}, "--layout rows: expected one of columns, grid"),
        ({"modality": "thermal"}, "--modality thermal: expected one of rgb, depth, both"),
        ({"fill": "grass"}, 'no fill "grass"'),
        ({"sizes": "16x16"}, "copies"),
    ],
)
def test_what_cannot_be_certified_costs_a_sentence(words, text):
    with pytest.raises(UsageError, match=r".") as error:
        certify_maps(tiny(), DATA, **words)
    assert text in str(error.value)


def test_measures_by_hand():
    shown = torch.tensor([1, 1, 0, 0]).bool().view(1, 1, 2, 2)
    iou, mae = measures(shown, torch.tensor([1, 0, 1, 0.4]).view(1, 1, 2, 2))
    assert (iou, mae) == (pytest.approx([1 / 3]), [0.5])


PAIR = objects([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 1])
FIRST, SECOND = [0, 0, 10, 10], [20, 20, 30, 30]
ROW = {"clean_invented": 1.0, "v_invented": 4.0, "v_appeared": 1.0}


@pytest.mark.parametrize(
    ("goal", "before", "after", "expected"),
    [
        ("vanish", ([FIRST], [0]), ([SECOND], [1]), 1.0),  # as many found as before, but not the one found before
        ("vanish", ([FIRST, SECOND], [0, 1]), ([FIRST], [0]), 0.5),
        ("change", ([FIRST], [0]), ([FIRST], [2]), 1.0),
        ("misclass", ([FIRST, SECOND], [0, 1]), ([FIRST, SECOND], [2, 0]), 0.5),  # the second is renamed, but not to 2
        ("misclass", ([FIRST], [0]), ([FIRST, SECOND], [0, 2]), 0.0),  # one never found before counts for nothing
        ("vanish", ([], []), ([FIRST], [0]), math.nan),
        ("appear", ([], []), ([], []), 1.0),
        ("flood", ([], []), ([], []), 3.0),
    ],
)
def test_success_is_counted_object_by_object(goal, before, after, expected):
    value = success([ROW], [(PAIR, detections(*before), detections(*after))], "v", goal, 2)
    assert value == pytest.approx(expected, nan_ok=True)


def test_success_beyond_controls_and_a_detectors_own_words():
    views = {"grey": {"success": 0.2}, "crop": {"success": 0.5}, "unaware": {"success": 0.4}, "aware": {"success": 0.9}}
    assert beyond(views, ("grey", "noise", "crop")) == {"success_control": 0.5, "beyond": pytest.approx(0.4)}
    assert beyond({"unaware": {"success": None}}, ("grey",)) == {"success_control": None, "beyond": None}
    own = own_output(detections([FIRST, SECOND], [0, 2], [0.9, 0.4]))
    assert (own.labels.tolist(), own.crowd.tolist()) == ([0], [False])
    assert of_class(PAIR, 1).boxes.tolist() == [[20, 20, 30, 30]]
    assert of_class(PAIR, None) is PAIR
