"""What must hold of a reader, whatever it is given: it reads, or refuses in one sentence, and quickly."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from fuzz_reader import Reader, contents

from rgbdsod.errors import RgbdsodError

SLOWEST = 120.0
"""Seconds, after which a reader counts as one that hangs; none takes more than a few on a machine that is busy."""


class HungError(BaseException):
    """A reader that takes too long is interrupted by it."""


class Fault(NamedTuple):
    """A content that a reader did not stand."""

    reader: str
    content: str
    what: str


def complaint(error: RgbdsodError) -> str | None:
    """What is wrong with the sentence of an error; None if nothing is."""
    text = str(error)
    if not text.strip():
        return "says nothing"
    return f"has several lines: {text!r:.200}" if "\n" in text.strip() else None


def attempt(action: Callable[[], object]) -> str | None:
    """Run it; what went wrong, or None."""
    try:
        with _limited():
            action()
    except HungError:
        wrong = "hangs"
    except RgbdsodError as error:
        wrong = complaint(error)
    except Exception as error:
        wrong = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        wrong = wrong.encode("utf-8", "replace").decode()[:200]
    else:
        wrong = None
    return wrong


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Interrupts what takes too long, as far as Python can: between its own instructions."""

    def stop(number: int, frame: object) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SLOWEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def faults(reader: Reader, folder: Path, most: int | None = None) -> Iterator[Fault]:
    """What a reader does not stand of its hostile contents.

    Args:
        reader: which.
        folder: empty.
        most: contents to try, evenly chosen; None: all.
    """
    canary = folder / "outside" / "canary"
    canary.parent.mkdir(parents=True)
    inner = folder / "inner"
    inner.mkdir()
    file = reader.prepare(inner)
    with contextlib.suppress(RgbdsodError):
        reader.read(file)  # what is imported then takes longer than any reading
    found = list(contents(reader, file.read_bytes(), canary).items())
    for name, content in found[:: 1 if most is None else max(1, -(-len(found) // most))]:
        file.write_bytes(content)
        wrong = attempt(lambda: reader.read(file))
        if canary.exists():
            wrong = "ran a program"
            with contextlib.suppress(OSError):
                canary.unlink()
        if wrong:
            yield Fault(reader.name, name, wrong)
    shutil.rmtree(folder, ignore_errors=True)
