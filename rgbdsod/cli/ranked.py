"""The command line under torchrun: the first rank shows, and of an error one rank alone tells."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from rgbdsod.cli import screen
from rgbdsod.errors import UsageError
from rgbdsod.run.ranks import Meeting, Ranks

DIVIDED = ("attack", "evaluate", "bench", "train")
"""Commands whose work torchrun divides."""


def refuse_undivided(command: str) -> None:
    """Ranks that all do the same would only be in one another's way.

    Raises:
        UsageError: torchrun started a command that it does not divide.
    """
    if Ranks.here() is not None and command not in DIVIDED:
        raise UsageError(f"torchrun divides {', '.join(DIVIDED)}; start rgbdsod {command} without it")


@contextmanager
def one_voice() -> Iterator[None]:
    """While the block runs, only the first rank shows something; a process that is alone is not changed."""
    ranks = Ranks.here()
    if ranks is None:
        yield
        return
    _forget_threads()
    meeting = Meeting(ranks, "line")  # kept: without torchrun's own store, the first rank's serves the others
    if ranks.index == 0:
        yield
    else:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            yield
    del meeting


def say_error(text: str) -> None:
    """One line that says what is wrong; of several ranks the first to fail says it, since the others are stopped."""
    ranks = Ranks.here()
    if ranks is None:
        screen.say_error(text)
        return
    with suppress(ValueError):  # not in the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # torchrun repeats them
    if _is_first(ranks):
        with redirect_stderr(sys.__stderr__):
            screen.say_error(text if ranks.index == 0 else f"rank {ranks.index}: {text}")


def _is_first(ranks: Ranks) -> bool:
    try:
        return Meeting(ranks, "line").is_first("error")
    except RuntimeError:  # the store is gone, and with it the first rank
        return ranks.index == 0


def _forget_threads() -> None:
    """Compute with as many threads as a process that is alone would.

    torchrun gives each rank one thread where the user does not say how many, and sums over another number of threads
    differ in their last bit. It has to be done before torch is imported.
    """
    with suppress(OSError):
        started = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
        if not any(entry.startswith(b"OMP_NUM_THREADS=") for entry in started):
            os.environ.pop("OMP_NUM_THREADS", None)
