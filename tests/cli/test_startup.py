"""Help and lists answer at once, since nothing heavy is imported for them."""

import os
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "cv2", "timm", "scipy", "PIL", "matplotlib", "pyarrow", "kornia", "skimage"}


@pytest.mark.parametrize("words", [["--help"], ["list"], ["attack", "--help"], ["attack", "--model", "bbs-net"]])
def test_nothing_heavy_is_imported(words, tmp_path):
    code = (
        "import sys\nfrom rgbdsod.cli.main import run\n"
        f"run({words!r})\nprint(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == "[]"


def test_module_and_version_run_outside_a_checkout(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("raise RuntimeError('shadowed')")
    done = subprocess.run(
        [sys.executable, "-m", "rgbdsod", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.startswith("rgbdsod ")


def test_the_exit_code_of_the_module(tmp_path):
    words = [sys.executable, "-m", "rgbdsod", "attack", "--model", "bbs-net"]
    assert subprocess.run(words, capture_output=True, cwd=tmp_path, check=False).returncode == 2


def test_a_closed_pipe_is_no_error(tmp_path):
    line = f"{sys.executable} -m rgbdsod list | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "models\n")


def test_threads_do_not_spin_unless_told_to(call, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    call("list", "models")
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    call("list", "models")
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
