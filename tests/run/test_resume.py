"""Nothing computed is lost: a run that is stopped and continued equals an unbroken one."""

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.errors import DataError, DeviceError, UsageError
from rgbdsod.run.attack_task import AttackTask

OPTIONS = {"eps": {"depth": 16 / 255}, "steps": 3, "batch": 2}


def attack(out, **options):
    return rs.attack(tiny(), scenes(6), out=out, **{**OPTIONS, **options})


def files(folder):
    """Everything that must agree byte for byte."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "log.jsonl", "samples.parquet", "counts.npz")
    }


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    attack(folder)
    return files(folder)


class Stop(BaseException):
    """As Ctrl-C is."""


@pytest.fixture
def stop_after(monkeypatch):
    """Stops the run in the middle of a piece, after some were finished."""
    original = AttackTask.compute

    def arm(pieces, error):
        done = []

        def compute(self, part, store, advance):
            if len(done) == pieces:
                original(self, part, store, advance)
                raise error
            done.append(part)
            return original(self, part, store, advance)

        monkeypatch.setattr(AttackTask, "compute", compute)

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_a_stopped_run_continues_to_the_same_files(tmp_path, unbroken, stop_after, monkeypatch, pieces):
    stop_after(pieces, Stop())
    with pytest.raises(Stop):
        attack(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert len(list((tmp_path / "run" / "samples").glob("*.npz")) if pieces else []) == pieces
    monkeypatch.undo()
    attack(tmp_path / "run")
    assert files(tmp_path / "run") == unbroken
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "finished" and record["seconds"] > 0


def test_a_kill_while_the_results_are_written_loses_nothing(tmp_path, unbroken, monkeypatch):
    import rgbdsod.run.execute as module

    def killed(rows):
        raise Stop

    monkeypatch.setattr(module, "table_file", killed)
    with pytest.raises(Stop):
        attack(tmp_path / "run")
    monkeypatch.undo()
    attack(tmp_path / "run")
    assert files(tmp_path / "run") == unbroken


def test_a_finished_run_is_read_not_repeated(tmp_path):
    first = attack(tmp_path / "run")
    model = tiny()
    second = rs.attack(model, scenes(6), out=tmp_path / "run", **OPTIONS)
    assert model.network.calls == 0
    assert second.metrics == json.loads((tmp_path / "run" / "metrics.json").read_text()) == first.metrics
    assert second.samples == first.samples
    again = attack(tmp_path / "run", restart=True)
    assert again.metrics == first.metrics


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    attack(tmp_path / "run")
    with pytest.raises(UsageError) as error:
        attack(tmp_path / "run", steps=5)
    assert str(error.value) == "this folder was made with steps=3, now 5; use --restart, or another --out"
    attack(tmp_path / "run", steps=5, restart=True)


def test_batch_size_does_not_change_the_run(tmp_path, unbroken):
    attack(tmp_path / "run", batch=3)
    found = files(tmp_path / "run")
    assert found["config.toml"] == unbroken["config.toml"]
    one, other = (json.loads(content["metrics.json"])["results"][0] for content in (found, unbroken))
    for name, value in other["attacked"]["benchmark"]["values"].items():
        assert one["attacked"]["benchmark"]["values"][name] == pytest.approx(value, abs=2e-3)
    assert found[f"adversarial/RGB/{scenes(6).ids[0]}.png"] == unbroken[f"adversarial/RGB/{scenes(6).ids[0]}.png"]


def test_out_of_memory_halves_the_batch_and_finishes(tmp_path, unbroken, monkeypatch, caplog):
    original = AttackTask.compute

    def compute(self, part, store, advance):
        if len(part) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, part, store, advance)

    monkeypatch.setattr(AttackTask, "compute", compute)
    attack(tmp_path / "run", batch=4)
    assert caplog.messages == ["out of memory at batch 4; continuing with 2"]
    assert files(tmp_path / "run") == unbroken


def test_out_of_memory_at_one_image_is_a_device_error(tmp_path, monkeypatch):
    def compute(self, part, store, advance):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(AttackTask, "compute", compute)
    with pytest.raises(DeviceError, match="out of memory at batch 1"):
        attack(tmp_path / "run", batch=1)


def test_full_disk_is_one_sentence_and_the_run_continues_when_there_is_room(tmp_path, unbroken, monkeypatch):
    original, room = Path.write_bytes, [40]

    def limited(self, content):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", limited)
    with pytest.raises(DataError, match="no space left on the disk") as error:
        attack(tmp_path / "run")
    assert error.value.code == 3
    assert not list((tmp_path / "run").rglob("*.tmp"))
    monkeypatch.undo()
    attack(tmp_path / "run")
    assert files(tmp_path / "run") == unbroken


SCRIPT = """
import sys, time
sys.path.insert(0, {support!r})
from run_models import StandsOut, tiny
fuse = StandsOut.fuse
def slow(self, features):
    time.sleep(0.03)
    return fuse(self, features)
StandsOut.fuse = slow
from rgbdsod.cli.main import run
sys.exit(run(["attack", "--model", {model!r}, "--data", "scenes:6@32x32#3", "--modality", "depth", "--eps", "16/255",
              "--steps", "3", "--batch", "1", "--out", {out!r}]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_killed_process_is_continued(tmp_path, number, code):
    support = str(Path(__file__).resolve().parents[1] / "support")
    model = tmp_path / "m.py"
    model.write_text("from run_models import tiny as build\n")
    out = tmp_path / "run"
    script = SCRIPT.format(support=support, model=f"{model}:build", out=str(out))
    process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("samples/*.npz")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert not (out / "metrics.json").exists() and list(out.glob("samples/*.npz"))
    if code == 143:
        assert "rgbdsod: stopped; what was finished is kept, continue with: rgbdsod attack --model" in errors
        assert "Traceback" not in errors
    from rgbdsod.cli.main import run

    again = ["attack", "--model", f"{model}:build", "--data", "scenes:6@32x32#3", "--modality", "depth", "--eps",
             "16/255", "--steps", "3", "--batch", "1", "--quiet"]  # fmt: skip
    assert run([*again, "--out", str(out)]) == 0
    assert run([*again, "--out", str(tmp_path / "unbroken")]) == 0
    assert files(out) == files(tmp_path / "unbroken")
