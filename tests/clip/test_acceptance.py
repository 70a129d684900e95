"""What the module promises as a whole: prompts as published, every command offline, trainings that repeat."""

import json

import pytest
from clip_tuning import trained

from rgbdsod.cli.main import run
from rgbdsod.datasets import ZERO_SHOT_SETS
from rgbdsod.datasets.zero_shot.prompts import written

PROMPTS = {
    "tinyimagenet": ("Egyptian_cat", "This is a photo of a egyptian cat"),
    "cifar10": ("airplane", "This is a photo of a airplane"),
    "cifar100": ("aquarium_fish", "This is a photo of a aquarium fish"),
    "stl10": ("airplane", "This is a photo of a airplane"),
    "sun397": ("balcony/exterior", "This is a photo of a balcony exterior"),
    "food101": ("apple pie", "A photo of apple pie, a type of food."),
    "oxfordpets": ("american bulldog", "A photo of a american bulldog, a type of pet."),
    "flowers102": ("pink primrose", "A photo of a pink primrose, a type of flower."),
    "dtd": ("banded", "A surface with a banded texture."),
    "eurosat": ("a forest", "A centered satellite photo of a forest."),
    "fgvc-aircraft": ("Boeing 707-320", "A photo of a Boeing 707-320, a type of aircraft."),
    "imagenet": ("kit_fox", "This is a photo of a kit fox"),
    "caltech101": ("Faces_easy", "This is a photo of a faces easy"),
    "caltech256": ("ak47", "A photo of a ak47."),
    "stanfordcars": ("Acura RL Sedan", "A photo of a Acura RL Sedan."),
    "pcam": ("This is a photo of lymph node tumor tissue.", "This is a photo of lymph node tumor tissue."),
}
"""Of each of the sixteen sets a class name, and the prompt of the published evaluation."""

LANDS = [
    "annual crop land", "a forest", "brushland or shrubland", "a highway or a road", "industrial buildings",
    "pasture land", "permanent crop land", "residential buildings", "a river", "a sea or a lake",
]  # fmt: skip


def test_prompts_of_the_sixteen_sets():
    found = {row.name: written(row.template, [PROMPTS[row.name][0]], refine=row.refine)[0] for row in ZERO_SHOT_SETS}
    assert found == {name: text for name, (_, text) in PROMPTS.items()}
    assert list(ZERO_SHOT_SETS["eurosat"].names) == LANDS
    assert ZERO_SHOT_SETS["pcam"].shipped_names("as-released")[0].startswith("Tthis")


GLYPHS = ["--n-samples", "4", "--device", "cpu", "--quiet"]
COMMANDS = {
    "train": [
        "--method", "tga-zsr", "--data", "glyphs:tuning", "--limit", "40", "--iterations", "1", "--batch", "8",
        "--warmup", "0", "--val-share", "0", "--device", "cpu", "--quiet",
    ],
    "evaluate": [*GLYPHS, "--data", "glyphs:pairs", "--attack", "pgd,aa-fast", "--steps", "1"],
    "attack": [*GLYPHS, "--attack", "pgd", "--steps", "1"],
    "attention": [*GLYPHS, "--steps", "1"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs_offline(command, tmp_path, monkeypatch, capsys):
    """In an empty folder of a machine without a network: see conftest.py."""
    monkeypatch.chdir(tmp_path)
    assert run(["clip", command, *COMMANDS[command], "--out", "here"]) == 0, capsys.readouterr().err
    assert json.loads((tmp_path / "here" / "run.json").read_text())["status"] == "finished"


def test_two_trainings_of_one_seed_have_equal_weights(tmp_path):
    first, second = (trained(tmp_path / name, "tecoa", iterations=1) for name in ("first", "second"))
    assert first.sha256 == second.sha256
