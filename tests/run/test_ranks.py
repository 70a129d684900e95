"""A run on the ranks of torchrun is the run of one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rgbdsod.cli.main import run
from rgbdsod.cli.ranked import refuse_undivided
from rgbdsod.cli.ways import Way
from rgbdsod.errors import UsageError
from rgbdsod.models import build_model
from rgbdsod.run import Share
from rgbdsod.run.ranks import Ranks

SUPPORT = Path(__file__).parents[1] / "support"
RESULTS = ("metrics.json", "counts.npz", "samples.parquet", "config.toml")
GRID = """
[[block]]
model = "{support}/run_ranks.py:tiny"
data = "scenes:3@32x32"
attack = "fgsm"
modality = ["rgb", "both"]
eps = ["8/255"]
"""
ATTACK = ["attack", "--data", "scenes:5@32x32", "--eps-depth", "8/255,16/255", "--steps", "2", "--batch", "2"]


def by_torchrun(*words):
    """Start a command on two ranks; what they show, and how they end."""
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rgbdsod"]
    environment = os.environ | {"PYTHONPATH": str(SUPPORT)}
    return subprocess.run(
        [*line, *map(str, words)], capture_output=True, text=True, timeout=600, check=False, env=environment
    )


def of(model):
    return f"{SUPPORT / 'run_ranks.py'}:{model}"


def test_two_ranks_are_one_process(tmp_path, capfd):
    assert run([*ATTACK, "--model", of("tiny"), "--out", str(tmp_path / "alone")]) == 0
    alone = capfd.readouterr().out
    ended = by_torchrun(*ATTACK, "--model", of("tiny"), "--out", tmp_path / "ranks")
    assert ended.returncode == 0, ended.stderr
    for name in RESULTS:
        assert (tmp_path / "ranks" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
    assert ended.stdout == alone.replace("alone", "ranks")  # the first rank shows what a process alone does
    log = (tmp_path / "ranks" / "log.jsonl").read_text()
    assert '"share": "1/2"' in log and '"share": "2/2"' in log


def test_one_rank_that_fails_ends_all_with_one_message(tmp_path):
    ended = by_torchrun(*ATTACK, "--model", of("failing"), "--out", tmp_path / "run")
    said = [line for line in ended.stderr.splitlines() if line.startswith("rgbdsod: ")]
    assert ended.returncode != 0
    assert said == ["rgbdsod: rank 1: this machine has no such file; copy it"]


def test_a_grid_on_two_ranks_is_that_of_one_process(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID.format(support=SUPPORT))
    line = ["bench", "--suite", str(tmp_path / "grid.toml"), "--batch", "1", "--quiet"]
    assert run([*line, "--out", str(tmp_path / "alone")]) == 0
    ended = by_torchrun(*line, "--out", tmp_path / "ranks")
    assert ended.returncode == 0, ended.stderr
    for name in ("metrics.json", "samples.parquet", "summary.parquet"):
        assert (tmp_path / "ranks" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"]


def test_a_training_on_two_ranks_takes_the_steps_of_one_process(tmp_path):
    """BatchNorm keeps its statistics in this recipe; otherwise each rank on a CPU takes its own."""
    line = ["train", "--model", "bbsnet", "--recipe", "jldcf", "--data", "scenes:6@64x64", "--val", "scenes:2@64x64#1",
            "--batch", "3", "--iterations", "2", "--workers", "0", "--device", "cpu", "--quiet"]  # fmt: skip
    assert run([*line, "--out", str(tmp_path / "alone")]) == 0
    ended = by_torchrun(*line, "--out", tmp_path / "ranks")
    assert ended.returncode == 0, ended.stderr
    alone, ranks = weights(tmp_path / "alone"), weights(tmp_path / "ranks")
    begin = build_model("bbsnet", seed=0).network.state_dict()
    moved = max(float((value - begin[name]).abs().max()) for name, value in alone.items() if value.is_floating_point())
    apart = {name: float((value - ranks[name]).abs().mean()) for name, value in alone.items()
             if value.is_floating_point()}  # fmt: skip
    assert moved > 5e-5 and max(apart.values()) < 1e-6
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("alone", "ranks")]
    assert len(logs[0]) == len(logs[1])  # one rank alone writes


@pytest.fixture
def second_of_three(monkeypatch):
    numbers = {"RANK": "1", "WORLD_SIZE": "3", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in numbers.items():
        monkeypatch.setenv(name, value)


def test_a_process_finds_its_rank(second_of_three, monkeypatch):
    ranks = Ranks.here()
    assert ranks == Ranks(1, 3, 1) and ranks.share == Share(1, 3)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [Ranks(local, 4, local).device("auto") for local in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert ranks.device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert ranks.device("auto") == "auto"
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert Ranks.here() is None


def test_a_command_that_is_not_divided_is_refused(second_of_three):
    with pytest.raises(
        UsageError, match="torchrun divides attack, evaluate, bench, train; start rgbdsod transfer without it"
    ):
        refuse_undivided("transfer")


def test_a_run_is_divided_once(second_of_three):
    flags = {"shard": "1/2", "ray": None, "gpus_per_task": None, "device": "auto"}
    with pytest.raises(UsageError, match="--shard and torchrun each divide a run; use one of them"):
        Way.of(flags)
