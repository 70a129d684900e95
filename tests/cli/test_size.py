"""`--size`: the size that a network works at, as flag, in the record, and refused where it does not fit."""

import json
import tomllib
from pathlib import Path

import pytest

NAMED = ("--model", "bbsnet", "--data", "scenes:2@32x32")
TRAIN = ("train", "--model", "bbsnet", "--data", "scenes:4@32x32", "--val", "scenes:2@32x32#1", "--iterations", 1,
         "--batch", 2, "--workers", 0)  # fmt: skip
COMMANDS = {"attack": ("attack", *NAMED, "--steps", 1), "evaluate": ("evaluate", *NAMED), "train": TRAIN}
EVERY = pytest.mark.parametrize("command", COMMANDS)


@EVERY
def test_it_is_a_setting_of_the_run(document, command):
    own, small, smaller = (document(*COMMANDS[command], *words, "--dry-run")
                           for words in ((), ("--size", "64x64"), ("--size", "64x32")))  # fmt: skip
    assert small["settings"]["size"] == [64, 64] and smaller["settings"]["size"] == [64, 32]
    assert own["settings"].get("size") == ([128, 128] if command == "evaluate" else None)
    assert len({plan["run"] for plan in (own, small, smaller)}) == 3


@EVERY
@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("60x64", "bbsnet works at heights and widths that are multiples of 32, but got 60x64; 64x64 would do"),
        ("64", "--size 64: expected HxW, for example 128x128"),
        ("0x64", "--size 0x64: expected HxW, for example 128x128"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(call, tmp_path, command, size, message):
    answer = call(*COMMANDS[command], "--size", size)
    assert (answer.code, answer.err.strip()) == (2, f"rgbdsod: {message}")
    assert [path.name for path in tmp_path.iterdir()] == ["m.py"]


@pytest.mark.parametrize("command", ["attack", "evaluate"])
def test_the_network_works_at_it_and_config_repeats_the_run(call, command):
    assert call(*COMMANDS[command], "--size", "64x64", "--out", "here").code == 0
    record = json.loads(Path("here/run.json").read_text())
    assert record["model"]["size"] == [64, 64]
    assert record["settings"] == tomllib.loads(Path("here/config.toml").read_text())
    again = call(command, "--config", "here/config.toml", "--out", "here")
    assert again.code == 0 and "done    already" in again.out
    other = call(*COMMANDS[command], "--out", "here")
    assert other.code == 2 and "this folder was made with size=[64, 64], now " in other.err


def test_evaluations_of_named_models_are_repeated_by_their_config(call):
    assert call(*COMMANDS["evaluate"], "--out", "here").code == 0
    again = call("evaluate", "--config", "here/config.toml", "--out", "here")
    assert again.code == 0 and "done    already" in again.out


def test_a_training_continues_at_its_size_alone(call):
    first = call(*TRAIN, "--size", "64x64", "--out", "here")
    assert first.code == 0 and first.out.rstrip().endswith(
        "use with: rgbdsod attack --model bbsnet --size 64x64 --weights here/checkpoints/best.pt"
    )
    assert first.out.startswith("model   bbsnet --size 64x64, recipe small")
    assert call("train", "--config", "here/config.toml", "--workers", 0, "--out", "here").code == 0
    other = call(*TRAIN, "--size", "32x32", "--out", "here")
    assert other.code == 2 and "this folder was made with size=[64, 64], now [32, 32]" in other.err


def test_a_model_of_ones_own_works_at_it(document):
    plan = document("evaluate", "--model", "m.py:build", "--data", "scenes:2@32x32", "--size", "16x24", "--dry-run")
    assert plan["settings"]["size"] == [16, 24]


def test_ready_maps_have_no_network(call):
    answer = call("evaluate", "--maps", "maps", "--data", "scenes:2@32x32", "--size", "64x64")
    assert answer.code == 2 and "--maps DIR needs no model; leave out --size, or --maps" in answer.err
