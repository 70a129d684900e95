"""`rgbdsod ablate --stage --stream --mode`, and where a network's stages are shown."""

import json
from pathlib import Path

import pytest
from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
SMALL = ["--model", "m.py:build", "--data", "scenes:2@32x32#3"]


@pytest.fixture
def ablate(call):
    """`rgbdsod ablate` of a small network with two places, on two scenes."""
    Path("m.py").write_text("from interventions import two_places as build\n")
    return lambda *words: call("ablate", *SMALL, *words)


def fits(text):
    document = json.loads(text)
    name, version = document["schema"].removeprefix("rgbdsod.").split("/")
    return problems(document, json.loads((SCHEMAS / f"{name}-{version}.json").read_text())) == []


def test_command(ablate):
    code, out, err = ablate("--stage", "fine,input", "--stream", "depth", "--mode", "cut", "--out", "here")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("model   two places   ")
    assert lines[1:3] == ["data    scenes:2@32x32#3   2 images", "ablate  depth at input, fine   by cut"]
    assert [line.split()[:3] for line in lines[4:7]] == [
        ["intact", lines[4].split()[1], lines[4].split()[2]],
        ["input", "depth", "cut"],
        ["fine", "depth", "cut"],
    ]
    assert lines[-1] == "saved   here/stages.json and stages.csv"
    assert fits(Path("here/stages.json").read_text())


def test_any_of_the_flags_means_all_of_the_others(ablate):
    code, out, _ = ablate("--mode", "swap", "--json")
    assert code == 0
    assert fits(out)
    document = json.loads(out)
    assert [(cell["stage"], cell["stream"]) for cell in document["cells"]] == [
        (stage, stream) for stage in ("input", "fine", "coarse") for stream in ("rgb", "depth")
    ]
    assert document["attack"] is None


def test_with_an_attack(ablate):
    words = ["--stage", "coarse", "--mode", "mean", "--attack", "fgsm", "--modality", "depth", "--eps", "4/255"]
    code, out, _ = ablate(*words)
    assert code == 0
    assert "attack  fgsm   linf, depth 4/255" in out
    document = json.loads(ablate(*words, "--json").out)
    assert document["attack"]["eps_depth"] == [4 / 255]
    assert set(document["intact"]["attacked"]) == {"sm", "fm_max", "mae", "iou"}


def test_dry_run(ablate):
    code, out, _ = ablate("--stage", "all", "--attack", "pgd", "--dry-run")
    assert code == 0
    assert 'stage = [\n    "input",\n    "fine",\n    "coarse",\n]' in out
    assert out.splitlines()[-1] == "work    24 interventions and the intact network, 50 passes over images"
    assert fits(ablate("--stage", "all", "--dry-run", "--json").out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stage", "5"], 'two places has no stage "5"; its stages are input, fine, coarse (or all)'),
        (["--stream", "hue"], 'no stream "hue"; pass --stream rgb, depth or both'),
        (["--stream", "hha"], 'two places has no stream "hha"; pass --stream rgb or depth, or both'),
        (["--mode", "cut,blur"], 'no mode "blur"; modes are cut, mean, noise, swap'),
        (["--mode", "cut", "--attack", "pgd,fgsm"], "--attack pgd,fgsm: an ablation of stages has one; pass one"),
        (["--mode", "cut", "--attack", "pgd", "--eps", "2/255,4/255"], "--eps has 2 values; an ablation of stages"),
        (["--mode", "cut", "--attack", "pdg"], 'no attack "pdg"; did you mean'),
        (["--mode", "swap", "--limit", "1"], "--mode swap takes another image's map, but"),
        (["--mode", "cut", "--batch", "0"], "--batch 0: expected a number"),
    ],
)
def test_bad_commands(ablate, words, message):
    code, out, err = ablate(*words)
    assert (code, len(err.splitlines())) == (2, 1)
    assert message in err
    assert "intact" not in out


def test_stages_are_listed_and_shown(call):
    code, out, _ = call("list", "stages", "bbsnet")
    assert (code, out) == (0, "stages\n  bbsnet  input, 0, 1, 2, 3_1, 4_1 (multistage)\n")
    code, out, _ = call("info", "unet.small", "--fusion", "late")
    assert code == 0
    assert "stage input    rgb 3x128x128, depth 1x128x128" in out
    assert "stage 5        rgb 128x4x4, depth 128x4x4" in out


def test_plain_lists_need_no_network(call):
    code, out, _ = call("list", "bbsnet*")
    assert code == 0
    assert "stages" not in out.split()
