"""Whether a run's figures can be believed, as the run itself says; smallest changes; quicker copies."""

import json

import pytest

import rgbdsod
from rgbdsod.datasets import Scenes
from rgbdsod.errors import UsageError
from rgbdsod.run.health import row_checks
from rgbdsod.run.tables import health_lines


@pytest.fixture(scope="module")
def scenes():
    return Scenes(3, size=(64, 64), seed=7)


@pytest.fixture(scope="module")
def model():
    return rgbdsod.load_model("bbsnet", device="cpu").at((64, 64))


def by_name(metrics):
    return {check["name"]: check for check in metrics["health"]}


def test_every_run_says_what_its_rows_say(model, scenes):
    result = rgbdsod.attack(model, scenes, eps={"depth": 8 / 255}, steps=12)
    found = by_name(result.metrics)
    assert set(found) == {
        "the budget holds", "saving keeps the attack", "the loss rises", "the loss has levelled off",
    }  # fmt: skip
    assert found["the budget holds"]["passed"]
    assert found["the loss rises"]["passed"]
    assert "checks passed" in result.summary()
    assert result.document()["health"] == result.metrics["health"]


def test_too_few_steps_are_told(model, scenes):
    result = rgbdsod.attack(model, scenes, eps={"depth": 8 / 255}, steps=3, step_size=0.2 / 255, random_start=False)
    check = by_name(result.metrics)["the loss has levelled off"]
    assert not check["passed"]
    assert "raise --steps" in check["advice"]
    assert "FAILED  the loss has levelled off" in result.summary()


def test_a_file_beyond_its_budget_is_told(model, scenes):
    result = rgbdsod.attack(model, scenes, attack="fgsm", eps={"depth": 4 / 255})
    rows = [{**row, "depth_linf": 0.5} for row in result.samples]
    plan = type("Plan", (), {"settings": type("S", (), {"attack": "fgsm"}), "norm": "linf", "inputs": ("depth",)})
    assert not row_checks(rows, plan)[0]["passed"]


def test_lines_tell_failures_only():
    checks = [
        {"name": "a", "passed": True, "found": "x", "advice": ""},
        {"name": "b", "passed": False, "found": "y", "advice": "do z"},
    ]
    assert health_lines(checks) == ["health  1 of 2 checks passed", "  FAILED  b: y", "          do z"]
    assert health_lines([]) == []


def test_the_smallest_change_needs_no_radius(model, scenes):
    result = rgbdsod.attack(model, scenes, attack="ddn", modality="depth", steps=15)
    smallest = result.metrics["results"][0]["smallest"]
    assert smallest["found"] == 3
    assert 0 < smallest["median"] < 10
    assert "smallest change   found for 3 of 3, median l2" in result.summary()
    assert result.metrics["results"][0]["budget"]["depth"]["norm"] == "l2"
    assert json.loads(json.dumps(result.document(), allow_nan=False))["smallest"] == smallest
    assert all((row["distance"] == 0) == row["fooled_before"] for row in result.samples)


def test_a_radius_bounds_the_smallest_change(model, scenes):
    result = rgbdsod.attack(model, scenes, attack="ddn", eps={"depth": 1e-3}, steps=5)
    found = result.metrics["results"][0]
    assert found["smallest"]["found"] == found["fooled_before"] == found["fooled_float"] < 3


@pytest.mark.parametrize(("attack", "text"), [("jsma", "; use jsma-dense"), ("apgd-t", "; use autoattack")])
def test_attacks_on_scores_are_refused(model, scenes, attack, text):
    with pytest.raises(UsageError, match=f'attack "{attack}" needs class scores, and bbsnet.demo predicts maps{text}'):
        rgbdsod.attack(model, scenes, attack=attack, modality="depth")


def test_a_prepared_copy_is_attacked_and_the_model_is_measured(model, scenes):
    plain, quick = (
        rgbdsod.attack(model, scenes, eps={"depth": 8 / 255}, steps=4, prepared=choice) for choice in (False, True)
    )
    assert quick.record["settings"]["prepared"] is True
    assert "prepared" not in plain.record["settings"]
    for a, b in zip(plain.samples, quick.samples, strict=True):
        assert a["clean_sm_raw"] == b["clean_sm_raw"]
        assert abs(a["loss"] - b["loss"]) < 0.05 * abs(a["loss"])


def test_eot_counts_its_passes(model, scenes):
    result = rgbdsod.attack(model, scenes, eps={"depth": 8 / 255}, steps=2, eot=3)
    assert result.samples[0]["backward"] == 6
    with pytest.raises(UsageError, match="--eot 0 is the mean of nothing"):
        rgbdsod.attack(model, scenes, eps={"depth": 8 / 255}, eot=0)


@pytest.mark.slow
def test_full_checks(model, scenes):
    result = rgbdsod.attack(model, scenes, eps={"depth": 8 / 255}, steps=20, check=True)
    assert len(result.metrics["health"]) == 13
    assert all(check["passed"] for check in result.metrics["health"])
