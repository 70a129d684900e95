"""Equality with the reference evaluator's numbers, on made and on real maps."""

import json

import cv2
import numpy as np
import pytest

from rgbdsod.metrics import counts, curves, saliency, summary

TOLERANCE = {"mae": 1e-12, "sm": 1e-12, "wfm": 1e-12}
EXACT = 1e-15
REPORTED = {
    "MAE": "mae",
    "Smeasure": "sm",
    "wFmeasure": "wfm",
    "adpFm": "fm_adp",
    "meanFm": "fm_mean",
    "maxFm": "fm_max",
    "adpEm": "em_adp",
    "meanEm": "em_mean",
    "maxEm": "em_max",
}


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "metrics.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def pairs(golden):
    numbers = range(len(golden["names"]))
    return [golden[f"pred_{i:02d}"] for i in numbers], [golden[f"gt_{i:02d}"] for i in numbers]


@pytest.fixture(params=["benchmark", "raw"])
def protocol(request):
    return request.param


def prefix(protocol):
    return "raw_" if protocol == "raw" else ""


def test_values_of_each_image(golden, pairs, protocol):
    values = saliency(*pairs, protocol)
    for name, value in values.items():
        expected = golden[prefix(protocol) + ("sm_exact" if name == "sm" else name)]
        np.testing.assert_allclose(value, expected, rtol=0, atol=TOLERANCE.get(name, EXACT), err_msg=name)


def test_names_are_the_golden_ones(golden, pairs):
    own = {name for name, value in golden.items() if value.shape == golden["mae"].shape}
    own -= {name for name in own if name.startswith("raw_")} | {"names", "sm_exact"}
    assert set(saliency(*pairs)) == own


def test_curves_of_each_image(golden, pairs, protocol):
    found = curves(counts(*pairs), protocol)
    stored = [name for name in golden if name.endswith("_curve") and not name.startswith("agg_")]
    stored = [name for name in stored if name.startswith("raw_") == (protocol == "raw")]
    assert len(stored) == (2 if protocol == "raw" else 8)
    for name in stored:
        np.testing.assert_allclose(found[name.removeprefix("raw_")], golden[name], rtol=0, atol=EXACT, err_msg=name)


def test_values_of_the_set(golden, pairs, protocol):
    kept = [list(golden["names"]).index(name) for name in golden["agg_names"]]
    preds, masks = ([side[i] for i in kept] for side in pairs)
    result = summary(counts(preds, masks), saliency(preds, masks, protocol)["wfm"], protocol)
    assert result.images == 17
    assert result.without_foreground == 2
    for name, value in result.values.items():
        expected = golden["agg_" + prefix(protocol) + name]
        assert value == pytest.approx(float(expected), rel=0, abs=TOLERANCE.get(name, EXACT)), name


def test_pooled_values_and_mean_curves_of_the_set(golden, pairs):
    kept = [list(golden["names"]).index(name) for name in golden["agg_names"]]
    result = summary(counts(*([side[i] for i in kept] for side in pairs)))
    assert len(result.pooled) == 10
    for name, value in result.pooled.items():
        assert value == pytest.approx(float(golden[f"agg_pooled_{name}"]), rel=0, abs=EXACT), name
    stored = [name for name in result.curves if f"agg_{name}" in golden]
    assert len(stored) == 8
    for name in stored:
        np.testing.assert_allclose(result.curves[name], golden[f"agg_{name}"], rtol=0, atol=EXACT, err_msg=name)


def grey(path):
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)


def agree(preds, masks, expected):
    """Values of the set against the reference evaluator's."""
    result = summary(counts(preds, masks), saliency(preds, masks)["wfm"])
    for theirs, ours in REPORTED.items():
        assert result.values[ours] == pytest.approx(expected[theirs], rel=0, abs=1e-12), theirs


@pytest.mark.parametrize(
    ("folder", "method"),
    [
        ("JLDCF_demo", "JLDCF"),
        ("JLDCF_demo", "csnet-L-x1"),
        ("JLDCF_demo", "csnet-L-x2"),
        ("NJU2K_demo", "csnet-L-x1"),
        ("NJU2K_demo", "csnet-L-x2"),
        ("SSD", "csnet-L-x1"),
        ("SSD", "csnet-L-x2"),
    ],
)
def test_real_maps_of_published_models(shared, folder, method):
    expected = json.loads((shared / "data/rgbd_sod/reference_metrics.json").read_text())["results"][folder][method]
    names = sorted(expected["per_image"])
    place = shared / "data/rgbd_sod" / folder
    preds = [grey(place / "pred" / method / f"{name}.png") for name in names]
    masks = [grey(place / "GT" / f"{name}.png") for name in names]
    agree(preds, masks, expected["mean"])
    values = saliency(preds, masks)
    for number, name in enumerate(names):
        for theirs, ours in REPORTED.items():
            assert values[ours][number] == pytest.approx(expected["per_image"][name][theirs], rel=0, abs=1e-12), theirs


def test_real_maps_with_an_alpha_channel(shared):
    place = shared / "data/sod_metrics_reference/lfsd_pairs"
    preds, masks = ([grey(place / side / f"{i}.png") for i in (1, 2, 3)] for side in ("pred", "GT"))
    agree(preds, masks, json.loads((place / "reference_metrics.json").read_text())["mean"])


def test_the_reference_evaluators_own_test(shared):
    """Its three pairs, one with an empty mask, and the values that its author expects."""
    place = shared / "data/sod_metrics_reference/pysodmetrics"
    expected = json.loads((place / "version_performance.json").read_text())["v1_4_3"]
    preds, masks = ([grey(path) for path in sorted((place / side).glob("*.png"))] for side in ("preds", "masks"))
    agree(preds, masks, expected)
    result = summary(counts(preds, masks))
    short = {"fm": "fm", "iou": "iou", "dice": "dice", "ber": "ber", "oa": "oa", "kappa": "kappa", "fpr": "fpr"}
    short |= {"pre": "precision", "rec": "recall", "spec": "specificity"}
    for theirs, ours in short.items():
        assert result.pooled[f"{ours}_bin"] == pytest.approx(expected[f"overall_bi{theirs}"], abs=1e-12), theirs
        assert result.values[f"{ours}_bin"] == pytest.approx(expected[f"sample_bi{theirs}"], abs=1e-12), theirs
        assert result.values[f"{ours}_adp"] == pytest.approx(expected[f"adp{theirs}"], abs=1e-12), theirs
        assert result.values[f"{ours}_mean"] == pytest.approx(expected[f"mean{theirs}"], abs=1e-12), theirs
        assert result.values[f"{ours}_max"] == pytest.approx(expected[f"max{theirs}"], abs=1e-12), theirs
