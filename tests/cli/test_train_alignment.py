"""The alignment flags of `train`."""

import tomllib
from pathlib import Path

import pytest
import torch

SMALL = ["train", "--data", "scenes:8@64x64", "--val", "scenes:2@64x64", "--iterations", "1", "--batch", "2"]


def test_a_training_with_losses_is_another_run_and_can_be_repeated(document):
    plain = document(*SMALL, "--dry-run")
    assert not {"itc", "queue", "filter"} & set(plain["settings"])
    found = document(
        *SMALL, "--workers", 0, "--itc", 0.1, "--itm", 0.1, "--queue", 4, "--momentum", 0.99, "--modality-dropout", 0.2
    )
    assert found["run"] != plain["run"]
    config = tomllib.loads((Path(found["run"]) / "config.toml").read_text())
    assert [config[name] for name in ("itc", "itm", "queue", "modality_dropout")] == [0.1, 0.1, 4, 0.2]
    again = document("train", "--config", Path(found["run"]) / "config.toml", "--dry-run")
    assert again["run"] == found["run"]
    state = torch.load(Path(found["run"]) / "checkpoints" / "last.pt", weights_only=True)
    assert state["progress"]["settings"]["alignment"]["momentum"] == 0.99
    second = document(*SMALL, "--workers", 0, "--filter", found["run"], "--filter-share", 0.25)
    state = torch.load(Path(second["run"]) / "checkpoints" / "last.pt", weights_only=True)
    assert state["progress"]["settings"]["pair_filter"]["kept"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--momentum 0.9", "--momentum has no effect without --queue"),
        ("--queue 4", "--queue has no effect without --itc"),
        ("--filter-mode drop", "--filter-mode has no effect without --filter"),
        ("--itc 0.1 --itc-pool max", "--itc-pool max: expected gap, mask or attn"),
        ("--itm nan", "--itm nan: a weight of 0 or more, such as 0.1"),
        ("--modality-dropout 2", "--modality-dropout 2: a share of the images, from 0 to 1"),
        ("--filter nowhere", "--filter nowhere: no training is there; pass the folder of one that had --itm"),
        (
            "--itc 0.1 --queue 8",
            "--queue 8 is not smaller than the training set (8 images), so it would compare images with themselves; "
            "pass --queue 4 or less",
        ),
        (
            "--itc 0.1 --fusion early",
            "BBS-Net with early fusion has no separate encoders of RGB and depth, which alignment losses compare; "
            "choose a fusion with two streams, or leave these losses out",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_run(call, words, message):
    answer = call(*SMALL, *words.split())
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == f"rgbdsod: {message}"
    assert not list(Path().rglob("run.json"))


def test_a_batch_of_one_is_said_to_have_nothing_to_compare(call):
    answer = call(*SMALL[:-1], 1, "--itc", 0.1, "--dry-run")
    assert answer.err == (
        "warning: a batch of 1 has nothing to compare, so the loss of --itc is 0; pass --batch 2 or more, or --queue\n"
    )
