"""A run on the ranks of torchrun is the run of one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rgbdsod.cli.main import run
from rgbdsod.cli.ways import Way
from rgbdsod.errors import UsageError
from rgbdsod.run import Share
from rgbdsod.run.ranks import Ranks

SUPPORT = Path(__file__).parents[1] / "support"
RESULTS = ("metrics.json", "counts.npz", "samples.parquet", "config.toml")
ATTACK = ["attack", "--data", "scenes:5@32x32", "--eps-depth", "8/255,16/255", "--steps", "2", "--batch", "2"]


def by_torchrun(*words, model="tiny"):
    """Start two ranks; what they show, and how they end."""
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rgbdsod"]
    return subprocess.run(
        [*line, *ATTACK, "--model", f"{SUPPORT / 'run_ranks.py'}:{model}", *map(str, words)],
        capture_output=True, text=True, timeout=600, check=False, env=os.environ | {"PYTHONPATH": str(SUPPORT)},
    )  # fmt: skip


def test_two_ranks_are_one_process(tmp_path, capfd):
    model = f"{SUPPORT / 'run_ranks.py'}:tiny"
    assert run([*ATTACK, "--model", model, "--out", str(tmp_path / "alone")]) == 0
    alone = capfd.readouterr().out
    ended = by_torchrun("--out", tmp_path / "ranks")
    assert ended.returncode == 0, ended.stderr
    for name in RESULTS:
        assert (tmp_path / "ranks" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
    assert ended.stdout == alone.replace("alone", "ranks")  # the first rank shows what a process alone does
    log = (tmp_path / "ranks" / "log.jsonl").read_text()
    assert '"share": "1/2"' in log and '"share": "2/2"' in log


def test_one_rank_that_fails_ends_all_with_one_message(tmp_path):
    ended = by_torchrun("--out", tmp_path / "run", model="failing")
    said = [line for line in ended.stderr.splitlines() if line.startswith("rgbdsod: ")]
    assert ended.returncode != 0
    assert said == ["rgbdsod: rank 1: this machine has no such file; copy it"]


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


def test_a_run_is_divided_once(second_of_three):
    flags = {"shard": "1/2", "ray": None, "gpus_per_task": None, "device": "auto"}
    with pytest.raises(UsageError, match="--shard and torchrun each divide a run; use one of them"):
        Way.of(flags)
