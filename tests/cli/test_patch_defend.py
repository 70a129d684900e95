"""`rgbdsod patch defend` and `rgbdsod patch evaluate`."""

import json
from pathlib import Path

import pytest
from cli_schema import problems
from PIL import Image

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
DEFEND = ["patch", "defend", "--model", "m.py:build", "--data", "scenes:2@48x48#3", "--steps", 2, "--device", "cpu"]
EVALUATE = ["patch", "evaluate", "--n-samples", 1, "--steps", 1, "--size", "6%", "--device", "cpu"]


def fits(text):
    document = json.loads(text)
    name, version = document["schema"].removeprefix("rgbdsod.").split("/")
    return problems(document, json.loads((SCHEMAS / f"{name}-{version}.json").read_text())) == []


def test_defend(call):
    words = [*DEFEND, "--defense", "lgs,median", "--penalty", "0", "--out", "here"]
    code, out, _ = call(*words)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("model   tiny")
    assert lines[2] == "patch   rgb, 5% square, off-object, hide, 2 steps"
    assert lines[4].split()[:7] == ["defense", "clean", "cost", "control", "none", "unaware", "aware"]
    assert [line.split()[0] for line in lines[5:10]] == ["none", "oracle", "random-mask", "lgs", "median"]
    again = call(*words, "--json")
    assert again.code == 0
    assert fits(again.out)
    repeated = call("patch", "defend", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert (repeated.code, repeated.out.splitlines()[0]) == (0, lines[4])
    for kind in ("html", "csv", "md"):
        assert call("report", "here", "--format", kind).code == 0
    assert "Defences of tiny against patches" in Path("here/report.html").read_text()
    assert len(Path("here/report.csv").read_text().splitlines()) == 11
    plan = call(*words[:-2], "--dry-run", "--json")
    assert json.loads(plan.out)["rows"] == 10
    assert not Path("runs").exists()


def test_evaluate(call):
    words = [*EVALUATE, "--defense", "bits", "--no-aware", "--out", "here"]
    code, out, _ = call(*words)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("model   fcos.tiny")
    assert [line.split()[0] for line in lines[5:9]] == ["none", "oracle", "random-mask", "bits"]
    assert fits(call(*words, "--json").out)
    repeated = call("patch", "evaluate", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert (repeated.code, repeated.out.splitlines()[0]) == (0, lines[4])
    assert call("report", "here").code == 0
    assert "AP50" in Path("here/report.html").read_text()


def test_localise(call):
    for name, colour in (("images", (9, 9, 9)), ("masks", (0, 0, 0))):
        Path("real", name).mkdir(parents=True)
        Image.new("RGB", (48, 48), colour).save(f"real/{name}/a.png")
    words = ["patch", "evaluate", "--localise", "real", "--defense", "lgs", "--out", "here"]
    code, out, err = call(*words)
    assert (code, "1 photographs say little of others" in err) == (0, True)
    assert out.splitlines()[1].split() == [
        "defense",
        "SmIoU",
        "NmIoU",
        "recall",
        "found",
        "touched",
        "false",
        "s/image",
    ]
    assert fits(call(*words, "--json").out)
    repeated = call("patch", "evaluate", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert repeated.code == 0
    assert call("report", "here").code == 0
    assert "Where defences see the patches of real" in Path("here/report.html").read_text()
    assert call(*words[:4], "--detector", "fcos.tiny").code == 2


WRONG = {
    "defend --defense jedy": (2, 'did you mean "jedi"'),
    "defend --thresholds own": (2, "--thresholds own: expected one of calibrated, paper, both"),
    "defend --modality sound": (2, "--modality sound"),
    "defend --goal ghost": (2, "expected one of hide, degrade"),
    "defend --size 120%": (2, "120%"),
    "defend --penalty heavy": (2, "--penalty heavy: expected a number"),
    "defend --defence lgs": (2, "did you mean --defense?"),
    "evaluate --detector yolo": (2, 'no detector "yolo"'),
    "evaluate --detector fastestdet": (4, "has no built-in weights"),
    "evaluate --goal hide": (2, 'no detection objective "hide"'),
    "evaluate --annotations a.json": (2, "--annotations needs --images FOLDER"),
    "evaluate --annotations a.json --images .": (3, "a.json"),
    "evaluate --class cat": (2, '--class "cat"'),
    "evaluate --image-size big": (2, "--image-size big: expected HxW"),
    "evaluate --localise nowhere": (3, "no images in nowhere"),
    "evaluate --localise . --defense tv": (2, "tv looks for no patch in one image"),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_input_costs_one_sentence(call, words):
    code, text = WRONG[words]
    command, *flags = words.split()
    start = DEFEND if command == "defend" else EVALUATE
    answer = call(*start, *flags)
    assert (answer.code, text in answer.err) == (code, True), answer.err
    assert len(answer.err.splitlines()) == 1
    assert not Path("runs").exists()
