"""`rgbdsod bench` as a user types it."""

import json
from pathlib import Path

import pytest
from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
SUITE = """
[[block]]
world = "zero-shot"
model = "clip.demo"
data = "glyphs:pairs"
attack = "fgsm"
modality = "image"
eps = "8/255"
images = 2
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "s.toml").write_text(SUITE)
    return "s.toml"


def test_one_document(document, suite):
    found = document("bench", "--suite", suite, "--out", "r", "--device", "cpu")
    assert problems(found, json.loads((SCHEMAS / "bench-1.json").read_text())) == []
    assert found["run"] == "r"


def test_a_plan_writes_nothing(call, document, suite, tmp_path):
    plan = document("bench", "--suite", "cross", "--dry-run")
    assert problems(plan, json.loads((SCHEMAS / "plan-1.json").read_text())) == []
    assert len(plan["cases"]) == 28
    assert "1 cases, 1 rows" in call("bench", "--suite", suite, "--dry-run").out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--suite", "crss"], 'no suite "crss"; use quick, standard, cross, or a FILE.toml'),
        (["--suite", "none.toml"], "--suite none.toml: no such file or directory"),
        (["--images", "0"], "--images 0: pass 1 or more"),
        (["--set", "eps=1"], 'no setting "eps"'),
        (["--submission", "card.toml"], "--submission is for a leaderboard; add --suite rgbdsod-mini"),
        (["--suite", "rgbdsod-mini,quick"], "rgbdsod-mini is a leaderboard and runs alone"),
    ],
)
def test_wrong_words(call, words, message):
    answer = call("bench", *words)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


BOARD = """
data = "scenes:1@32x32#3"
images = 1
modality = "rgb"
eps = "8/255"
settings = { steps = 1, effort = "quick", checks = false }

[[entry]]
name = "tiny"
model = "m.py:build"
"""
CARD = """
name = "mine"
model = "m.py:build"
trained_on = "nothing"
authors = "somebody"
license = "MIT"
defense = "median"
"""


def test_a_leaderboard_and_a_submission(call, document, tmp_path):
    (tmp_path / "b.toml").write_text(BOARD)
    (tmp_path / "card.toml").write_text(CARD)
    words = ["bench", "--suite", "b.toml", "--submission", "card.toml", "--device", "cpu"]
    missing = call("bench", "--suite", "b.toml", "--submission", "none.toml")
    assert (missing.code, missing.err) == (3, "rgbdsod: --submission none.toml: no such file or directory\n")
    refused = call(*words)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "rgbdsod: --submission card.toml runs m.py; read that file, then add --allow-code\n"
    plan = document(*words, "--allow-code", "--dry-run")
    assert problems(plan, json.loads((SCHEMAS / "plan-1.json").read_text())) == []
    assert plan["cases"] == ["mine"]
    found = document(*words, "--allow-code", "--built-in", "--out", "r")
    assert problems(found, json.loads((SCHEMAS / "leaderboard-1.json").read_text())) == []
    assert {row["name"] for row in found["entries"]} == {"mine", "tiny"}
    again = call("bench", "--config", "r/config.toml", "--out", "r", "--allow-code")
    assert "done    already" in again.out and "mine" in again.out
