"""Nothing computed is lost: a run that is stopped and continued equals an unbroken one."""

import errno
import json
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from run_kill import exit_code, forked
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.cli.main import run
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
        if path.is_file() and path.name not in ("run.json", "log.jsonl", "times.json") and ".locks" not in path.parts
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
    import rgbdsod.run.outcome as module

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


def test_times_are_beside_the_rows_and_come_back_with_them(tmp_path):
    first = attack(tmp_path / "run")
    import pyarrow.parquet as pq

    assert "seconds" not in pq.read_table(tmp_path / "run" / "samples.parquet").column_names
    assert [row["seconds"] for row in attack(tmp_path / "run").samples] == [row["seconds"] for row in first.samples]


def test_a_file_of_the_adversarial_set_that_was_damaged_is_made_again(tmp_path, unbroken, stop_after, monkeypatch):
    stop_after(2, Stop())
    with pytest.raises(Stop):
        attack(tmp_path / "run")
    monkeypatch.undo()
    victim = sorted((tmp_path / "run" / "adversarial" / "RGB").iterdir())[0]
    victim.write_bytes(b"not a picture")
    attack(tmp_path / "run")
    assert files(tmp_path / "run") == unbroken
    notes = [line for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines() if "is damaged" in line]
    assert len(notes) == 1 and victim.name in notes[0]


def test_damaged_results_are_one_sentence_with_the_cure(tmp_path):
    attack(tmp_path / "run")
    for name in ("counts.npz", "metrics.json", "times.json"):
        content = (tmp_path / "run" / name).read_bytes()
        (tmp_path / "run" / name).write_bytes(content[:-9])
        with pytest.raises(DataError, match=f"{name} is damaged: .* repeat the run with --restart"):
            attack(tmp_path / "run")
        (tmp_path / "run" / name).write_bytes(content)
    attack(tmp_path / "run")


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


COMMAND = ["attack", "--data", "scenes:6@32x32#3", "--modality", "depth", "--eps", "16/255", "--steps", "3", "--batch",
           "1", "--quiet", "--model"]  # fmt: skip


def test_a_stopped_command_says_how_to_go_on(tmp_path):
    model = tmp_path / "m.py"
    model.write_text("from run_models import tiny as build\n")
    out = tmp_path / "run"

    def command():
        """Stopped by the signal that a job scheduler sends, in the middle of the second piece."""
        original, errors = AttackTask.compute, os.open(tmp_path / "errors.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(errors, 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)

        def compute(self, part, store, advance):
            if part[0] == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, part, store, advance)

        AttackTask.compute = compute
        return run([*COMMAND, f"{model}:build", "--out", str(out)])

    assert exit_code(forked(command)) == 143
    errors = (tmp_path / "errors.txt").read_text()
    assert "rgbdsod: stopped; what was finished is kept, continue with: rgbdsod attack --data" in errors
    assert "Traceback" not in errors
    assert not (out / "metrics.json").exists() and len(list(out.glob("samples/*.npz"))) == 1
    assert run([*COMMAND, f"{model}:build", "--out", str(out)]) == 0
    assert run([*COMMAND, f"{model}:build", "--out", str(tmp_path / "unbroken")]) == 0
    assert files(out) == files(tmp_path / "unbroken")
