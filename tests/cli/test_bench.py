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
    ],
)
def test_wrong_words(call, words, message):
    answer = call("bench", *words)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1
