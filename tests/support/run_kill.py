"""Runs that are killed: at random moments, and at every write, rename and removal."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

TIMED = ("run.json", "log.jsonl", "times.json")
"""Files that hold times; everything else must agree byte for byte."""

TOUCHES = ("replace", "fsync", "unlink", "rmdir", "mkdir")
"""Functions of `os` that change what is on the disk; files are filled by Path.write_bytes."""


def forked(work: Callable[[], int]) -> int:
    """Start some work in a copy of this process, which has imported torch already; returns its id.

    Args:
        work: returns the exit code.
    """
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def exit_code(child: int) -> int:
    """Wait for a child; the code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_by_clock(work: Callable[[], int], seconds: float) -> bool:
    """Do some work in a child that is killed after some seconds; returns whether that was before its end."""
    child = forked(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return _was_killed(exit_code(child))


def killed_at_touch(work: Callable[[], int], number: int, *, before: bool) -> bool:
    """Do some work in a child that kills itself when it touches the disk; returns whether it came to that.

    Args:
        work: returns the exit code.
        number: of the touch, from 1 on.
        before: kill before the touch, and a file that is written in the middle; otherwise right after.
    """

    def dangerous() -> int:
        _arm(number, before=before)
        return work()

    return _was_killed(exit_code(forked(dangerous)))


def _was_killed(code: int) -> bool:
    assert code in (0, -signal.SIGKILL), f"the run ended with {code}"
    return code != 0


def _arm(number: int, *, before: bool) -> None:
    """From now on the process dies at its touch of that number. It is a child: nothing needs to be put back."""
    left = [number]

    def deadly() -> bool:
        left[0] -= 1
        return left[0] == 0

    def wrapped(original: Callable[..., object]) -> Callable[..., object]:
        def touch(*args: object, **options: object) -> object:
            dies = deadly()
            if dies and before:
                _die()
            result = original(*args, **options)
            if dies:
                _die()
            return result

        return touch

    for name in TOUCHES:
        setattr(os, name, wrapped(getattr(os, name)))
    write = Path.write_bytes

    def write_bytes(self: Path, content: bytes) -> int:
        dies = deadly()
        if dies and before:
            write(self, content[: len(content) // 2])
            _die()
        written = write(self, content)
        if dies:
            _die()
        return written

    Path.write_bytes = write_bytes  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run folder that holds no times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in TIMED and ".locks" not in path.parts
    }


def kill_through(work: Callable[[], int], seed: int, touches: int, seconds: float, by_clock: float = 0.3) -> int:
    """Kill a run and give the same command again, until it is through; returns how often it was killed.

    Args:
        work: the run; returns the exit code.
        seed: of the moments.
        touches: about how often an unbroken run touches the disk.
        seconds: about how long it takes.
        by_clock: share of the moments that the clock decides.
    """
    rng, kills = np.random.default_rng(seed), 0
    while True:
        if rng.random() < by_clock:
            killed = killed_by_clock(work, float(rng.uniform(0, seconds)))
        else:
            killed = killed_at_touch(work, int(rng.integers(1, touches)), before=bool(rng.random() < 0.5))
        kills += killed
        if not killed:
            return kills
