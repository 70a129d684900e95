"""`rgbdsod bench` as a user types it."""

import json
from pathlib import Path

import pytest
from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
SUITE = """
[[block]]
model = "m.py:build"
data = "scenes:2@32x32#3"
attack = ["fgsm", "pgd-2"]
modality = "rgb"
eps = "8/255"
"""


def schema(name):
    return json.loads((SCHEMAS / f"{name}-1.json").read_text())


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "s.toml").write_text(SUITE)
    return "s.toml"


def test_a_grid_is_planned_measured_extended_and_asked(call, document, suite, tmp_path):
    words = ["bench", "--suite", suite, "--device", "cpu", "--out", "r"]
    before = sorted(tmp_path.rglob("*"))
    plan = document(*words, "--dry-run")
    assert problems(plan, schema("plan")) == []
    assert [(own["images"], own["done"], own["forward"], own["backward"]) for own in plan["cells"]] == [
        (2, 0, 2, 1), (2, 0, 3, 2)
    ]  # fmt: skip
    assert (plan["images"], plan["forward"], plan["backward"], plan["run"]) == (4, 10, 6, "r")
    assert plan["seconds"] > 0 and "an estimate" in plan["basis"]
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.suffix != ".pyc"] in (
        [], [tmp_path / "__pycache__"]
    )  # fmt: skip

    assert "1 cells are finished" not in call(*words, "--shard", "1/2", "--batch", "1").out
    found = document(*words)
    assert problems(found, schema("bench")) == []
    assert found["run"] == "r"
    assert call(*words).out.startswith("suite")

    (tmp_path / "s.toml").write_text(SUITE.replace('"8/255"', '["8/255", "4/255"]'))
    plan = document(*words, "--dry-run")
    assert [own["done"] for own in plan["cells"]] == [2, 0, 2, 0]
    assert "4 cells, 2 of them finished; 4 images are left" in call(*words, "--dry-run").out

    pytest.importorskip("duckdb")
    sql = "select attack, count(*) images from samples group by 1 order by 1"
    asked = document("report", "r", "--sql", sql)
    assert problems(asked, schema("query")) == []
    assert asked["rows"] == [{"attack": "fgsm", "images": 2}, {"attack": "pgd-2", "images": 2}]
    assert call("report", "r", "--sql", sql, "--format", "csv").out == "attack,images\nfgsm,2\npgd-2,2\n"
    assert call("report", "r", "--sql", sql).out.splitlines()[0].split() == ["attack", "images"]
    wrong = call("report", "r", "r", "--sql", sql)
    assert (wrong.code, wrong.err) == (2, "rgbdsod: --sql asks one run; got 2 folders\n")


def test_a_plan_of_a_built_in_suite(document):
    plan = document("bench", "--suite", "quick", "--dry-run", "--images", "1")
    assert [own["cell"].split(", ")[0] for own in plan["cells"]] == ["bbsnet.demo"] * 4 + ["clip.demo"] * 2


def test_cells_that_fail(call, suite, tmp_path):
    (tmp_path / "s.toml").write_text(SUITE + 'weights = "{seed}.pt"\n')
    words = ["bench", "--suite", suite, "--device", "cpu"]
    plan = call(*words, "--dry-run")
    assert plan.code == 0 and "2 cells cannot be measured, the first because no weights 0.pt" in plan.err
    refused = call(*words)
    assert (refused.code, refused.err.count("\n")) == (4, 1)
    going = call(*words, "--keep-going")
    assert going.code == 4
    assert "rgbdsod: 2 of 2 cells failed; the same command tries them again" in going.err
    assert "FAILED" in going.out and "no weights 0.pt; train them first" in going.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--suite", "crss"], 'no suite "crss"; use quick, standard, cross, or a FILE.toml'),
        (["--suite", "none.toml"], "--suite none.toml: no such file or directory"),
        (["--images", "0"], "--images 0: pass 1 or more"),
        (["--set", "eps=1"], 'no setting "eps"'),
        (["--submission", "card.toml"], "--submission is for a leaderboard; add --suite rgbdsod-mini"),
        (["--suite", "rgbdsod-mini", "--keep-going"], "--keep-going is for a grid; leave it out"),
        (["--suite", "rgbdsod-mini,quick"], "rgbdsod-mini is a leaderboard and runs alone"),
        (["--shard", "3/2"], "expected I/N with I from 1 to N"),
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
