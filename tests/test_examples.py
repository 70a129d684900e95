"""The scripts of examples/ run as a user runs them, small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SMALL = ["--images", "2", "--steps", "2"]
RUNS = {
    "attack_your_detector.py": (SMALL, ["vanish\ndefense", "flood\ndefense", "against the annotations, 2 images"]),
    "attack_your_model.py": (SMALL, ["rgb may change", "depth may change", "Sm    up"]),
    "attack_tensors.py": (SMALL, ["noise", "2 forward, 0 backward", "3 forward, 2 backward"]),
    "compare_modalities.py": (["bbsnet", *SMALL], ["bbsnet, depth attacked", " -> "]),
}
ABLATION = "fusion_ablation.py"
LONG = (
    "make_clip.py", "make_clip_study.py", "make_cross_maps.py", "make_defence_study.py", "make_demo.py",
    "make_detector.py", "make_fusion_ablation.py", "make_generators.py", "make_leaderboard.py",
    "make_naturalistic.py", "make_patch_defenses.py", "make_patch_study.py", "make_readme.py",
    "make_victim_defenses.py", "make_weights.py", "measure_alignment.py", "measure_numerics.py",
    "write_clip_study.py", "write_defence_study.py", "write_patch_study.py",
)  # fmt: skip
SHARED = ("ablation_tables.py", "clip_study_numbers.py", "patch_study_numbers.py")
"""What scripts import."""


@pytest.mark.parametrize("name", RUNS)
def test_an_example_runs_and_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    arguments, expected = RUNS[name]
    done = _run(name, *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [text for text in expected if text not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []


def test_the_ablation_prints_reliance_and_goes_on_where_it_was(tmp_path: Path) -> None:
    small = [*SMALL, "--seeds", "1", "--iterations", "1"]
    first, second = (_run(ABLATION, "bbsnet", *small, folder=tmp_path) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    table = first.stdout[first.stdout.index("design  ") :]
    assert "training bbsnet-multistage-plain-0" in first.stdout and "share of depth in the drop" in table
    assert second.stdout == table


@pytest.mark.parametrize("name", LONG)
def test_what_takes_long_at_least_starts(name: str, tmp_path: Path) -> None:
    done = _run(name, "--help", folder=tmp_path)
    assert (done.returncode, "Usage" in done.stdout) == (0, True), done.stderr


def test_every_script_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*RUNS, *LONG, ABLATION, *SHARED}


def _run(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
