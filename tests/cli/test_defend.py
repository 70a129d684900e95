"""`rgbdsod defend`, and what `list` and `info` say of its defences."""

import json
from pathlib import Path

import pytest
from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
DEFEND = ["defend", "--model", "m.py:build", "--data", "scenes:2@32x32#3", "--modality", "depth", "--eps", "16/255",
          "--steps", 2, "--penalty", "1", "--effort", "quick", "--device", "cpu"]  # fmt: skip


def test_defend(call):
    words = [*DEFEND, "--defense", "jpeg(quality=50)+median(window=3),detect", "--out", "here"]
    code, out, _ = call(*words)
    assert code == 0
    lines = out.splitlines()
    assert lines[2] == "attack  pgd   linf, depth 16/255, 2 steps"
    assert lines[4].split()[:8] == ["defense", "clean", "cost", "noise", "none", "unaware", "aware", "gain"]
    assert [line.split()[0] for line in lines[5:8]] == ["none", "jpeg(quality=50)+median(window=3)", "detect"]
    again = call(*words, "--json")
    document = json.loads(again.out)
    assert problems(document, json.loads((SCHEMAS / "defend-1.json").read_text())) == []
    repeated = call("defend", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert (repeated.code, repeated.out.splitlines()[0]) == (0, lines[4])
    for kind in ("html", "csv", "md"):
        assert call("report", "here", "--format", kind).code == 0
    assert "Defences of tiny against noise" in Path("here/report.html").read_text()
    assert json.loads(call(*words[:-2], "--dry-run", "--json").out)["rows"] == 6


def test_defences_are_listed_and_explained(call):
    assert "joint-bilateral" in call("list", "defenses").out
    text = call("info", "detect").out
    assert "needs" in text
    assert "watch=" in text
    assert call("info", "lgs").out.startswith("patch-defense")


WRONG = {
    "--defense medain": 'did you mean "median"',
    "--defense detect+median": "write median+detect",
    "--defense jpeg(quality=500)": "pass 1 to 100",
    "--defense detect(fpr=2)": "above 0 and below 1",
    "--fpr 0": "--fpr 0",
    "--penalty heavy": "--penalty heavy: expected a number",
    "--modality sound": "--modality sound",
    "--defence median": "did you mean --defense?",
    "--eps 2/255,4/255": "defend takes one",
    "--defense median(window=99) --dry-run": "pass a smaller odd window",
    "--defense detect(by=heads)": "train with --manipulation",
    "--no-aware --search": "attacks that know the defence",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_input_costs_one_sentence(call, words):
    answer = call(*DEFEND, *words.split())
    assert (answer.code, WRONG[words] in answer.err) == (2, True), answer.err
    assert len(answer.err.splitlines()) == 1
    assert not Path("runs").exists()
