"""`rgbdsod clip train`, its lists and the benchmark of its steps, small."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from cli_schema import problems

from rgbdsod.clip import load_clip
from rgbdsod.defenses import METHODS, TUNING_PRESETS

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "rgbdsod" / "cli" / "schemas" / "clip-train-1.json").read_text())
TRAIN = ["clip", "train", "--data", "glyphs:tuning", "--limit", "40", "--batch", "8", "--iterations", "2",
         "--device", "cpu"]  # fmt: skip


def test_a_training_says_what_it_runs_and_what_to_do_next(call):
    answer = call(*TRAIN, "--method", "tga-zsr", "--eps", "8/255", "--lr", "3e-4", "--val-share", "0.1")
    assert answer.code == 0, answer.err
    for line in (
        "method  tga-zsr: attacked images are looked at where the original model looks at clean ones",
        "preset  tga-zsr/glyphs/small",
        "data    glyphs:tuning, 40 images of 36 classes, batch 8",
        "attack  linf 8/255, 2 steps before each update",
        "best    update 2: clean ",
    ):
        assert line in answer.out
    (folder,) = Path("runs/clip-train").iterdir()
    assert f"use with: rgbdsod clip evaluate --model clip.demo --weights {folder}/weights.safetensors" in answer.out
    assert load_clip("clip.demo", folder / "weights.safetensors", device="cpu").name == "clip.demo"
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["method"], record["command"]) == ("finished", "tga-zsr", "clip train")


def test_the_two_methods_of_one_name_are_not_confused(call):
    for name, words in (
        ("fare", "embeddings of attacked images stay where those of clean ones were"),
        ("fare-bimodal", "image and text perturbed, balanced, with a discriminator; shares only its name with fare"),
    ):
        answer = call(*TRAIN, "--method", name, "--dry-run")
        assert f"method  {name}: {words}" in answer.out


def test_the_document_fits_its_schema_and_the_run_can_be_repeated(document, call):
    found = document(*TRAIN, "--preset", "fare/glyphs/small", "--val-share", "0", "--set", "normalize=true")
    assert problems(found, SCHEMA) == [] and found["best"] == {}
    assert (found["method"], found["iteration"]) == ("fare", 2)
    config = Path(found["run"]) / "config.toml"
    assert tomllib.loads(config.read_text())["val_share"] == 0.0
    plan = document("clip", "train", "--config", config, "--dry-run")
    assert plan["run"] == found["run"] and plan["images"] == 40
    again = document("clip", "train", "--config", config, "--out", "again", "--workers", "1")
    assert again["sha256"] == found["sha256"]
    longer = call(*TRAIN, "--preset", "fare/glyphs/small", "--out", "again")
    assert longer.code == 2 and "use --restart, or another --out" in longer.err
    state = torch.load(Path(found["run"]) / "checkpoints" / "last.pt", weights_only=True)
    assert state["progress"]["settings"]["settings"]["normalize"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--method tecao", 'no method "tecao"; did you mean "tecoa"?'),
        ("--method tecoa --preset fare/glyphs/small",
         'preset "fare/glyphs/small" is of method fare, not tecoa; leave one of the two out'),
        ("--eps 8", "--eps 8"),
        ("--eps eight", "--eps eight: expected a number, or a fraction such as 8/255"),
        ("--epochs 2", "give --iterations or --epochs, not both"),
        ("--data glyphs:shapes",
         "glyphs:shapes is a zero-shot task, which tuning must not see; pass --data glyphs:tuning"),
        ("--data nowhere", 'no image set "nowhere"'),
        ("--template thing", 'the prompt "thing" has no {} for the class name'),
        ("--dtype float16", "--dtype float16 loses pixel gradients to underflow without a loss scaler"),
        ("--val-share 2", "--val-share 2: a share of the images from 0 to 1, without 1"),
        ("--warmup 5", "the rate rises for 5 updates, but there are 2 in all"),
        ("--validate-every 0", "--validate-every 0: pass 1 update or more"),
        ("--select middle", 'no weights "middle" to select; use best or last'),
        ("--set gamma=1", 'method tga-zsr has no setting "gamma"'),
        ("--weights missing.safetensors", "missing.safetensors"),
        ("--preset pmg-aft/as-released --model clip.demo", "normalises with imagenet, but clip.demo with clip"),
        ("--steps 0", "--steps 0 is too few; pass 1 or more"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_one_sentence_and_leave_no_run(call, words, message):
    answer = call(*TRAIN, *words.split())
    assert answer.code == (4 if "--weights" in words else 2)
    lines = [line for line in answer.err.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1 and lines[0].startswith("rgbdsod: ") and message in lines[0]
    assert not list(Path().rglob("run.json"))


def test_methods_and_presets_are_listed_and_described(call):
    listed = call("list", "methods").out
    assert all(name in listed for name in METHODS.names()) and "not the paper's TeCoA" in listed
    assert all(name in call("list", "presets").out for name in TUNING_PRESETS.names())
    method = call("info", "tga-zsr").out
    assert "--set alpha=" in method and "tga-zsr/tinyimagenet/vit-b-32" in method
    preset = call("info", "fare/as-released").out
    for words in ("linf 1/255, 10 steps of 1/255", "adamw at 1e-05", "1400 updates of warm-up, late"):
        assert words in preset


def test_the_benchmark_compares_both_structures():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "clip.py", "--small", "--batch", "4", "--rounds", "1"],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("tecoa", "pmg-aft", "tga-zsr", "fare", "PGD evaluation, steps", "PGD evaluation, whole"):
        assert f"\n{name} " in done.stdout
