"""A run that is killed, at any moment and as often as you like, ends as if nobody had touched it."""

import errno
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
import torch
from run_kill import content, exit_code, forked, kill_through, killed_at_touch
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.errors import DataError
from rgbdsod.run import Share
from rgbdsod.run.attack_task import AttackTask

TOUCHES = 110  # of the disk, of one unbroken run
SEEDS = range(18)

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a copy of this process cannot use its GPU")


def attack(out, share=None, **options):
    return rs.attack(tiny(), scenes(4), out=out, share=share, eps=16 / 255, steps=2, batch=1, **options)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The files, the record, and how long it took."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    begin = time.perf_counter()
    attack(folder)
    return content(folder), record_of(folder), time.perf_counter() - begin


def record_of(folder):
    """run.json without its times."""
    record = json.loads((folder / "run.json").read_text())
    record["files"].pop("times.json")
    return {name: value for name, value in record.items() if name not in ("start", "end", "seconds")}


def check(folder, unbroken):
    files, record, _ = unbroken
    assert content(folder) == files
    assert record_of(folder) == record


def through(folder, seed, unbroken, share=None, **options):
    def work():
        return attack(folder, share) and 0

    return kill_through(work, seed, TOUCHES, unbroken[2], **options)


def test_killed_again_and_again(tmp_path, unbroken):
    kills = sum(through(tmp_path / f"run{seed}", seed, unbroken, by_clock=0) for seed in range(2))
    assert kills >= 2
    for seed in range(2):
        check(tmp_path / f"run{seed}", unbroken)


def test_a_share_that_is_killed_is_taken_up_by_others(tmp_path, unbroken):
    through(tmp_path / "run", 1, unbroken, Share(0, 2))
    attack(tmp_path / "run", Share(1, 2))
    check(tmp_path / "run", unbroken)


@pytest.mark.slow
def test_fifty_kills(tmp_path, unbroken):
    """At least fifty, at moments by the clock and at writes, renames and removals, over several runs."""
    kills = 0
    for seed in SEEDS:
        kills += through(tmp_path / f"run{seed}", 100 + seed, unbroken)
        check(tmp_path / f"run{seed}", unbroken)
    print(f"{kills} kills in {len(SEEDS)} runs")
    assert kills >= 50


@pytest.mark.slow
def test_beginning_anew_is_killed(tmp_path, unbroken):
    """Nothing of the run before is taken for the new one's."""
    folder = tmp_path / "run"
    for number in range(3, 60, 5):
        rs.attack(tiny(), scenes(4), out=folder, eps=4 / 255, steps=1, batch=1, restart=True)
        assert killed_at_touch(lambda: attack(folder, restart=True) and 0, number, before=number % 2 == 0)
        attack(folder, restart=True)
        check(folder, unbroken)


@pytest.mark.slow
def test_shares_that_are_killed_side_by_side(tmp_path, unbroken):
    for seed in SEEDS[:4]:
        folder = tmp_path / f"run{seed}"
        children = [forked(lambda index=index, seed=seed, folder=folder:
                           through(folder, 200 + 2 * seed + index, unbroken, Share(index, 2)) * 0)
                    for index in range(2)]  # fmt: skip
        assert [exit_code(child) for child in children] == [0, 0]
        check(folder, unbroken)


def test_a_disk_that_is_full_at_each_write_in_turn(tmp_path, monkeypatch):
    def evaluate():
        return rs.evaluate(tiny(), scenes(2), out=tmp_path / "run", batch=1, save_images="none", metrics=["mae"])

    evaluate()
    whole = content(tmp_path / "run")
    write, room = Path.write_bytes, [0]

    def limited(self, data):
        room[0] -= 1
        if room[0] < 0:
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", limited)
    for number in range(30):
        shutil.rmtree(tmp_path / "run")
        room[0] = number
        try:
            evaluate()
        except DataError as error:
            assert "no space left on the disk; free some and give the same command again" in str(error)
            assert not list((tmp_path / "run").rglob("*.tmp"))
            room[0] = 1000
            evaluate()
        else:
            break
        assert content(tmp_path / "run") == whole, f"after a disk full at write {number}"
    assert number > 8


@pytest.fixture
def plain_folder():
    """A folder that every user can reach, as pytest's is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_one_sentence_and_can_still_be_read(plain_folder):
    def evaluate(name):
        return rs.evaluate(tiny(), scenes(2), out=plain_folder / name, batch=1, save_images="none", metrics=["mae"])

    evaluate("finished")

    def as_nobody():
        if os.geteuid() == 0:
            os.setuid(65534)
        assert evaluate("finished").complete
        with pytest.raises(DataError, match=r"cannot write .*new.*: permission denied; use another --out"):
            evaluate("new")
        return 0

    plain_folder.chmod(0o555)
    (plain_folder / "finished").chmod(0o555)
    assert exit_code(forked(as_nobody)) == 0
    plain_folder.chmod(0o755)
    (plain_folder / "finished").chmod(0o755)


def test_two_processes_on_one_folder(tmp_path, unbroken):
    reading, writing = os.pipe()

    def slow():
        original = AttackTask.compute

        def compute(self, part, store, advance):
            os.write(writing, b"1")
            time.sleep(60)
            return original(self, part, store, advance)

        AttackTask.compute = compute
        return attack(tmp_path / "run") and 0

    child = forked(slow)
    os.read(reading, 1)
    with pytest.raises(DataError, match=f"is held by process {child} on .* since .*; wait until it is through, stop"):
        attack(tmp_path / "run")
    os.kill(child, 9)
    exit_code(child)
    attack(tmp_path / "run")
    check(tmp_path / "run", unbroken)
