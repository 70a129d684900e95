"""Who may compute in a run folder, and what the others are told."""

import json
import os
import re
import signal

import pytest
from run_kill import exit_code, forked

from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.folder import RunFolder
from rgbdsod.run.lock import FolderLock
from rgbdsod.run.share import Share

ONE, TWO = Share(0, 2), Share(1, 2)


def open_(path, share=None, **options):
    return RunFolder.open("attack", {"steps": 1}, title="a", out=path, share=share, **options)


@pytest.mark.parametrize(("first", "second"), [(None, None), (None, ONE), (ONE, None), (ONE, ONE)])
def test_the_second_is_told_who_holds_the_folder(tmp_path, first, second):
    folder = open_(tmp_path / "run", first, arguments="rgbdsod attack --model x")
    with pytest.raises(DataError) as error:
        open_(tmp_path / "run", second)
    what = f"{tmp_path / 'run'}" if first is None else f"share 1/2 of {tmp_path / 'run'}"
    assert re.fullmatch(
        re.escape(f"{what} is held by process {os.getpid()} on {os.uname().nodename} since ")
        + r"\d{4}-\d\d-\d\dT[\d:]+\+00:00 "
        + re.escape("(rgbdsod attack --model x); wait until it is through, stop it, or use another --out"),
        str(error.value),
    )
    folder.close()
    open_(tmp_path / "run", second).close()


def test_different_shares_go_side_by_side(tmp_path):
    first, second = open_(tmp_path / "run", ONE), open_(tmp_path / "run", TWO)
    open_(tmp_path / "run", Share(1, 3)).close()
    first.close()
    second.close()
    open_(tmp_path / "run").close()


def test_beginning_anew_needs_all_shares_free(tmp_path):
    first = open_(tmp_path / "run", ONE)
    with pytest.raises(DataError, match=r"share 1/2 of .* is held by .*; --restart needs all shares free"):
        open_(tmp_path / "run", TWO, restart=True)
    first.close()
    open_(tmp_path / "run", TWO, restart=True).close()


def test_a_finished_folder_is_free_for_all(tmp_path):
    folder = open_(tmp_path / "run")
    folder.finish()
    folder.close()
    assert open_(tmp_path / "run").finished and open_(tmp_path / "run", ONE).finished
    assert [path.suffix for path in (tmp_path / "run" / ".locks").glob("whole.*")] == [".lock"]


def test_a_dead_holder_holds_nothing(tmp_path):
    def die():
        folder = open_(tmp_path / "run")
        os.kill(os.getpid(), signal.SIGKILL)
        return folder

    process = forked(die)
    assert exit_code(process) == -signal.SIGKILL
    holder = json.loads((tmp_path / "run" / ".locks" / "whole.json").read_text())
    assert holder["pid"] == process
    open_(tmp_path / "run").close()


def test_an_error_while_opening_gives_the_lock_back(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(KeyboardInterrupt), lock.opening():
        raise KeyboardInterrupt
    with FolderLock(tmp_path).opening() as alone:
        assert alone


def test_what_live_processes_are_writing_is_not_swept(tmp_path):
    first = open_(tmp_path / "run", ONE)
    half = tmp_path / "run" / ".metrics.json.123.tmp"
    half.write_bytes(b"half")
    second = open_(tmp_path / "run", TWO)
    assert half.exists()
    first.close()
    second.close()
    open_(tmp_path / "run", TWO).close()
    assert not half.exists()


def test_locks_elsewhere_are_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".locks").symlink_to(tmp_path)
    with pytest.raises(DataError, match="is a link that leads out of"):
        open_(tmp_path / "run")


def test_a_folder_of_nothing_but_locks_is_no_stranger(tmp_path):
    with FolderLock(tmp_path / "run").opening():
        pass
    open_(tmp_path / "run").close()


def test_strangers_beside_locks_are_refused(tmp_path):
    with FolderLock(tmp_path / "run").opening():
        pass
    (tmp_path / "run" / "thesis.tex").write_text("keep")
    with pytest.raises(UsageError, match="is not empty and holds no run of rgbdsod"):
        open_(tmp_path / "run")
    (tmp_path / "run" / "thesis.tex").unlink()
    (tmp_path / "run" / ".run.json.123.tmp").write_text("{")
    open_(tmp_path / "run").close()
    assert not (tmp_path / "run" / ".run.json.123.tmp").exists()
