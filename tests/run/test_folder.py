"""The run folder: its name, what it refuses, what it keeps."""

import errno
import json
import tomllib
from pathlib import Path

import pytest

from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.folder import RunFolder, folder_path
from rgbdsod.run.store import DiskStore, MemoryStore

SETTINGS = {"model": "tiny", "steps": 20, "eps_depth": [0.1, 0.2]}


def open_(path, settings=SETTINGS, **options):
    folder = RunFolder.open("attack", settings, title="a", out=path, **options)
    folder.close()
    return folder


def test_name_depends_on_settings_weights_and_data_only():
    def path(settings=SETTINGS, record=None, **options):
        return folder_path("attack", settings, record or {}, title="tiny-my set-pgd", **options)

    assert path().parts[:2] == ("runs", "attack")
    assert path().name.startswith("tiny-my-set-pgd-") and len(path().name.rsplit("-", 1)[1]) == 6
    assert path() == path(dict(reversed(SETTINGS.items())))
    assert path() == path(record={"device": "cuda", "start": "now"})
    others = [
        path({**SETTINGS, "steps": 40}),
        path(record={"model": {"sha256": "a"}}),
        path(record={"data": {"fingerprint": "b"}}),
    ]
    assert len({path(), *others}) == 4
    assert path(name="mine") == Path("runs/attack/mine")
    assert path(out="x") == Path("x")


def test_same_settings_continue_and_others_are_refused(tmp_path):
    first = open_(tmp_path / "run")
    first.write("samples/a.npz", b"1")
    assert open_(tmp_path / "run").names("samples") == ["samples/a.npz"]
    with pytest.raises(UsageError) as error:
        open_(tmp_path / "run", {**SETTINGS, "steps": 40})
    assert str(error.value) == "this folder was made with steps=20, now 40; use --restart, or another --out"
    with pytest.raises(UsageError, match="model=tiny, now nothing; steps=20, now 3"):
        open_(tmp_path / "run", {"steps": 3, "eps_depth": [0.1, 0.2]})
    with pytest.raises(UsageError, match="made with data fingerprint="):
        open_(tmp_path / "run", record={"data": {"fingerprint": "abc"}})
    with pytest.raises(UsageError, match="made by attack, now train"):
        RunFolder.open("train", SETTINGS, title="a", out=tmp_path / "run")


def test_restart_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    folder = open_(tmp_path / "run")
    folder.write("samples/a.npz", b"1")
    folder.write("report.html", b"1")
    (tmp_path / "run" / "my notes.txt").write_text("keep")
    again = open_(tmp_path / "run", {"steps": 1}, restart=True)
    assert again.names("samples") == []
    found = {path.name for path in (tmp_path / "run").iterdir()}
    assert found == {"my notes.txt", "run.json", "config.toml", ".locks"}


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="is not empty and holds no run of rgbdsod; use another --out"):
        open_(tmp_path, restart=True)
    with pytest.raises(UsageError, match="is a file"):
        open_(tmp_path / "thesis.tex")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        open_(tmp_path)


def test_record_and_settings_can_be_read_back(tmp_path):
    folder = open_(tmp_path / "run", arguments="rgbdsod attack", record={"seed": 3})
    folder.log("start", images=4)
    folder.finish()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["status"], record["command"], record["seed"]) == ("finished", "attack", 3)
    assert record["start"] <= record["end"]
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text()) == SETTINGS
    event = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert (event["event"], event["images"]) == ("start", 4)
    assert open_(tmp_path / "run").finished


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    store = DiskStore(tmp_path / "x")
    store.write("a/b.bin", b"old")

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="no space left on the disk; free some and give the same command again"):
        store.write("a/b.bin", b"new")
    assert store.read("a/b.bin") == b"old"
    assert [path.name for path in (tmp_path / "x" / "a").iterdir()] == ["b.bin"]


def test_what_a_killed_process_left_is_swept(tmp_path):
    folder = open_(tmp_path / "run")
    (tmp_path / "run" / "samples").mkdir()
    (tmp_path / "run" / "samples" / ".piece.npz.123.tmp").write_bytes(b"half")
    assert folder.names("samples") == []
    open_(tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.tmp"))


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/out.txt"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    store = DiskStore(tmp_path / "run")
    for touch in (lambda: store.write(name, b"x"), lambda: store.read(name), lambda: store.remove(name)):
        with pytest.raises(DataError, match="is no name inside"):
            touch()
    assert not (tmp_path / "out.txt").exists()


def test_links_that_lead_out_are_refused_and_what_they_lead_to_is_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").write_text("keep")
    folder = open_(tmp_path / "run")
    (tmp_path / "run" / "samples").symlink_to(elsewhere)
    (tmp_path / "run" / "metrics.json").symlink_to(elsewhere / "thesis.tex")
    for touch in (
        lambda: folder.names("samples"),
        lambda: folder.write("samples/piece.npz", b"x"),
        lambda: folder.remove("samples/thesis.tex"),
        lambda: folder.read("metrics.json"),
    ):
        with pytest.raises(DataError, match=r"is a link that leads out of .*; remove it, or use another --out"):
            touch()
    open_(tmp_path / "run", restart=True)
    assert not (tmp_path / "run" / "samples").exists() and not (tmp_path / "run" / "metrics.json").exists()
    assert (elsewhere / "thesis.tex").read_text() == "keep" and len(list(elsewhere.iterdir())) == 1


def test_a_link_that_stays_inside_is_none_of_our_business(tmp_path):
    store = DiskStore(tmp_path / "run")
    store.write("real/a", b"x")
    (tmp_path / "run" / "other").symlink_to("real")
    assert store.read("other/a") == b"x"


def test_a_run_folder_may_itself_be_a_link(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "scratch")
    open_(tmp_path / "run").write("images/a.png", b"x")
    assert (tmp_path / "scratch" / "images" / "a.png").read_bytes() == b"x"


def test_a_result_that_was_changed_is_found_on_reading(tmp_path):
    folder = open_(tmp_path / "run")
    folder.write("metrics.json", b"{}")
    folder.finish()
    assert open_(tmp_path / "run").read("metrics.json") == b"{}"
    (tmp_path / "run" / "metrics.json").write_bytes(b"{ }")
    with pytest.raises(DataError, match=r"metrics.json is damaged: .*; restore the file, or .* --restart"):
        open_(tmp_path / "run").read("metrics.json")


def test_memory_and_disk_agree(tmp_path):
    memory, disk = MemoryStore(), DiskStore(tmp_path)
    for store in (memory, disk):
        store.write("a/1", b"x")
        store.write("b", b"y")
        store.remove("b")
        store.remove("never there")
    assert memory.names("a") == disk.names("a") == ["a/1"]
    memory.copy_to(DiskStore(tmp_path / "copy"))
    assert (tmp_path / "copy" / "a" / "1").read_bytes() == b"x"
