"""`rgbdsod clip evaluate` and `clip attack`, and the reports of their runs."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
FAST = ["--data", "images", "--steps", 2, "--device", "cpu"]


def fits(text):
    document = json.loads(text)
    name, version = document["schema"].removeprefix("rgbdsod.").split("/")
    return problems(document, json.loads((SCHEMAS / f"{name}-{version}.json").read_text())) == []


@pytest.fixture
def clip(call):
    """`rgbdsod clip ...` beside a set of eight glyphs in a file."""
    from rgbdsod.datasets import glyph_set

    data = glyph_set("shapes", 8)
    Path("images").mkdir()
    np.savez("images/shapes.npz", x_test=data.images, y_test=data.labels, class_names=np.array(data.class_names))
    return lambda *words: call("clip", *words)


def test_evaluate(clip, call):
    words = ["evaluate", *FAST, "--attack", "pgd,aa-fast", "--eps", "1/255,8/255"]
    code, out, _ = clip(*words, "--out", "here")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("model   clip.demo   built in, sha256 ")
    assert lines[1].startswith("data    shapes   8 images   device cpu, float32, seed 0")
    assert lines[2] == "attack  pgd, aa-fast   eps 1/255,8/255, verdict any, native pixels"
    assert lines[3].split() == ["set", "attack", "eps", "clean", "robust", "95", "%", "interval", "zero", "gradient"]
    assert len([line for line in lines if line.startswith("shapes ")]) == 4
    again = clip(*words, "--out", "here", "--json")
    assert again.code == 0
    assert fits(again.out)
    assert len(json.loads(again.out)["rows"]) == 4
    repeated = clip("evaluate", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert (repeated.code, repeated.out.splitlines()[0]) == (0, lines[3])
    for kind in ("html", "csv", "md"):
        assert call("report", "here", "--format", kind).code == 0
    page = Path("here/report.html").read_text()
    assert "Zero-shot robustness of clip.demo" in page
    assert "Clean against robust accuracy" in page
    assert len(Path("here/report.csv").read_text().splitlines()) == 5
    assert "PGD against aa-fast" in Path("here/report.md").read_text()
    refused = call("report", "here", "--fail-under", "sm=0.5")
    assert (refused.code, "no bound fits" in refused.err) == (2, True)


def test_the_usual_radius_is_said(clip):
    out = clip("evaluate", *FAST, "--attack", "noise").out
    assert "eps 8/255 (usual for this model)" in out
    assert "saved   runs/clip-evaluate/clip.demo-shapes-noise-" in out


def test_attack_keeps_pictures(clip, call):
    code, out, _ = clip("attack", *FAST, "--attack", "cw-linf", "--out", "here")
    assert code == 0
    assert len(list(Path("here/adversarial/shapes").glob("*/*.png"))) == 8
    assert call("report", "here").code == 0
    assert "adversarial RGB" in Path("here/report.html").read_text()
    code, out, _ = clip("attack", *FAST, "--attack", "cw-linf", "--out", "here", "--json")
    assert fits(out)


def test_a_plan_starts_nothing(clip):
    code, out, _ = clip("evaluate", *FAST, "--dry-run", "--json")
    assert code == 0
    assert fits(out)
    plan = json.loads(out)
    assert (plan["command"], plan["images"], plan["rows"]) == ("clip evaluate", 8, 8)
    assert not Path("runs").exists()


def test_the_way_from_the_original_weights(clip, call):
    from rgbdsod.clip import load_clip, save_checkpoint

    save_checkpoint(load_clip(device="cpu"), "tuned.safetensors", method="fare", settings={})
    words = [*FAST, "--attack", "pgd", "--weights", "tuned.safetensors"]
    code, out, _ = clip("evaluate", *words, "--interpolate", "0:1:0.5", "--original", "clip.demo", "--out", "here")
    assert code == 0
    assert [line.split()[2] for line in out.splitlines() if line.startswith("shapes ")] == ["0", "0.5", "1"]
    assert "rgbdsod checkpoint (fare of clip.demo), tuned by fare" in out
    assert call("report", "here").code == 0
    assert "The way between two sets of weights" in Path("here/report.html").read_text()


WRONG = {
    "--attack pdg": (2, 'no zero-shot attack "pdg"; they are pgd, aa-fast'),
    "--eps 8": (2, "did you mean 8/255?"),
    "--verdict first": (2, 'no verdict "first"; use any or last'),
    "--template photo": (2, 'the prompt "photo" has no {}'),
    "--dtype float16": (2, "pass --loss-scale 1024"),
    "--data nowhere": (2, 'no image set "nowhere"'),
    "--data glyphs:cars": (2, 'no glyph task "cars"'),
    "--data cifar10": (2, "cifar10 is not shipped"),
    "--data cifar10 --data-root .": (3, "no cifar10 in ."),
    "--data empty": (3, "has no images"),
    "--data wrong": (3, "the class list and the data disagree"),
    "--data images,images": (2, 'two sets are called "shapes"'),
    "--interpolate 0:1:0.5": (2, "pass --weights FILE"),
    "--weights other.safetensors": (4, "does not fit clip.demo"),
    "--model ViT-B-99": (2, 'no architecture "ViT-B-99"'),
    "--model clip.demo --normalization imagenet": (2, "was trained with clip"),
    "--n-samples 0": (2, "ask for 1 or more"),
    "--fail-under robust": (2, "expected robust=X or clean=X"),
    "--fail-under robust=30": (2, "X from 0 to 1, for example robust=0.3"),
    "--fail-under sm=0.5": (2, "expected robust=X or clean=X"),
    "--atack pgd": (2, "did you mean --attack?"),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_input_costs_one_sentence(clip, words):
    code, text = WRONG[words]
    Path("empty/cat").mkdir(parents=True)
    Path("wrong").mkdir()
    arrays = {"x_test": np.zeros((2, 8, 8, 3), np.uint8), "y_test": np.array([0, 5])}
    np.savez("wrong/wrong.npz", **arrays, class_names=np.array(["cat", "dog"]))
    if "--weights" in words:
        import torch
        from safetensors.torch import save_file

        save_file({"conv1.weight": torch.zeros(2, 3, 4, 4)}, "other.safetensors")
    answer = clip("evaluate", *FAST, *words.split())
    assert answer.code == code
    assert text in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["evaluate", "attack"])
def test_a_bound_for_scripts(clip, command):
    words = [command, *FAST, "--attack", "pgd", "--out", "here"]
    assert clip(*words, "--fail-under", "robust=0,clean=0").code == 0
    missed = clip(*words, "--fail-under", "clean=1", "--fail-under", "robust=1", "--json")
    assert missed.code == 6
    assert fits(missed.out), "what was measured is printed all the same"
    row = json.loads(missed.out)["rows"][0]
    assert f"robust is {row['robust']:.4f} under pgd at 8/255 (shapes, here), below the bound 1" in missed.err
    assert ("clean is" in missed.err) == (row["clean"] < 1)


def test_bounds_are_of_the_zero_shot_mean():
    from rgbdsod.cli.clip.bounds import check_bounds, read_bounds
    from rgbdsod.errors import CheckError, UsageError

    head = {"share": None, "eps": 1 / 255, "attack": "pgd"}
    averages = [
        {**head, "name": "mean", "sets": 3, "clean": 0.9, "robust": 0.1},
        {**head, "name": "zero-shot mean", "sets": 2, "clean": 0.8, "robust": 0.4},
    ]
    metrics = {"rows": [{**head, "data": "a", "clean": 0.0, "robust": 0.0}], "averages": averages}
    check_bounds(metrics, read_bounds(["robust=0.4", "clean=0.8"], attacked=True), "here")
    with pytest.raises(CheckError, match=r"robust is 0.4000 under pgd at 1/255 \(zero-shot mean of 2 sets, here\)"):
        check_bounds(metrics, read_bounds(["robust=0.5"], attacked=True), "here")
    with pytest.raises(UsageError, match="nothing is attacked"):
        read_bounds(["robust=0.5"], attacked=False)


def test_pictures_are_of_one_attack(clip):
    answer = clip("attack", *FAST, "--attack", "pgd,cw")
    assert (answer.code, "pictures are of one" in answer.err) == (2, True)


def test_what_loading_weights_warns_of_is_one_line(clip, monkeypatch):
    """As of a foreign file that does not say its activation."""
    from rgbdsod.run.clip import opening

    load = opening.load_clip

    def warning(*words, **settings):
        warnings.warn("the file does not say its activation", stacklevel=1)
        return load(*words, **settings)

    monkeypatch.setattr(opening, "load_clip", warning)
    answer = clip("evaluate", *FAST, "--attack", "noise")
    assert (answer.code, answer.err) == (0, "warning: the file does not say its activation\n")
