"""Generators trained on a data set: the call, the command, its file and how an attack uses it."""

import json
from pathlib import Path

import pytest
from cli_schema import problems
from run_models import tiny

import rgbdsod
from rgbdsod.attacks.generative.latent import LatentGenerator
from rgbdsod.attacks.generative.perturbation import PerturbationGenerator
from rgbdsod.cli.main import run
from rgbdsod.run.generator import make_generator

SCHEMA = Path(rgbdsod.__file__).parent / "cli" / "schemas" / "generator-train-1.json"
DATA = "scenes:3@32x32#3"
SMALL = ["--data", DATA, "--steps", "2", "--batch", "2"]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`rgbdsod generator train` of a small model in an empty folder: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text("from run_models import tiny as build\n")

    def answer(*words):
        return run(["generator", "train", "--model", "m.py:build", *map(str, words)]), *capsys.readouterr()

    return answer


def test_the_generator_knows_what_it_was_trained_on(tmp_path):
    made = make_generator("gap", tiny(), DATA, eps={"depth": 4 / 255}, steps=2, batch=2, seed=5)
    made.save(tmp_path / "g.safetensors")
    scope = PerturbationGenerator.load(tmp_path / "g.safetensors").scope
    assert (dict(scope.eps), scope.seed, scope.channels) == ({"depth": 4 / 255}, 5, {"rgb": 3, "depth": 1})
    facts = {"data": DATA, "images": 3, "steps": 2, "batch": 2, "seed": 5, "model": "tiny", "objective": "bce"}
    assert facts.items() <= scope.origin.items()
    assert len(scope.origin["weights"]) == 64


@pytest.mark.parametrize("kind", ["gap", "advgan"])
def test_an_attack_with_a_file_of_ones_own(kind, tmp_path):
    make_generator(kind, tiny(), DATA, steps=2, batch=2).save(tmp_path / "g.safetensors")
    result = rgbdsod.attack(tiny(), DATA, kind, modality="depth", generator=str(tmp_path / "g.safetensors"))
    assert all(row["forward"] == 1 and row["backward"] == 0 and row["rgb_linf"] == 0 for row in result.samples)
    assert all(0 < row["depth_linf"] <= 8 / 255 + 1e-6 for row in result.samples)


def test_an_image_generator_serves_any_model(tmp_path):
    made = make_generator("natural", tiny(), DATA, steps=2, batch=2)
    assert isinstance(made, LatentGenerator)
    assert made.scope.origin["data"] == DATA
    made.save(tmp_path / "n.safetensors")
    result = rgbdsod.attack(
        tiny(), DATA, "natural", eps=1.0, generator=str(tmp_path / "n.safetensors"), draws=1, shells=1
    )
    assert all(1 <= row["forward"] <= 1 + 1 + 4 for row in result.samples)


def test_the_command_writes_one_file_and_says_how_to_use_it(call, tmp_path):
    code, out, err = call(*SMALL, "--eps", "8/255", "--out", "my.safetensors")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[1] == f"data    {DATA}   3 images   batch 2, seed 0"
    assert lines[2] == "made    gap   rgb up to 8/255, depth up to 8/255   2 steps"
    assert lines[3].endswith("use with: rgbdsod attack --attack gap --set generator=my.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["m.py", "my.safetensors"]
    words = ["attack", "--model", "m.py:build", "--data", DATA, "--attack", "gap", "--set", "generator=my.safetensors"]
    assert run(words) == 0


@pytest.mark.parametrize("kind", ["gap", "natural"])
def test_json_fits_its_schema(call, kind):
    code, out, _ = call(*SMALL, "--kind", kind, "--json")
    document = json.loads(out)
    assert code == 0
    assert problems(document, json.loads(SCHEMA.read_text())) == []
    assert (document["kind"], document["file"]) == (kind, "generator.safetensors")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--kind", "gpa"], 'no kind "gpa" of generator; kinds are gap, advgan, natural'),
        (["--kind", "natural", "--eps", "8/255"], "it takes no modality, eps, universal"),
        (["--steps", "0"], "--steps 0 is too few; pass 1 or more"),
        (["--batch", "0"], "--batch 0 is too few; pass 1 or more"),
        (["--out", "g.pt"], "--out g.pt: a generator is kept in a .safetensors file"),
        (["--eps", "8"], "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
        (["--eps", "2/255,4/255"], "2 radii; a generator serves all up to the largest, so give that one"),
        (["--objective", "bec"], 'no objective "bec"; did you mean "bce"?'),
        (["--set", "kidn=gap"], 'no setting "kidn"; did you mean "kind"? (rgbdsod generator train --help)'),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(call, tmp_path, words, text):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert text in err
    assert list(tmp_path.glob("*.safetensors")) == []
