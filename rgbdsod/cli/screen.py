"""What a user sees: results on stdout, everything else on stderr; a bar on a terminal, a line a minute in a log."""

import json
import logging
import os
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

_LONGEST = 2000  # letters of an error
_LOG_EVERY = 60.0  # seconds between progress lines where there is no terminal


class Advance(Protocol):
    """Shows how far something is."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Done of all, and a word on how it goes."""
        ...


class Screen:
    """Output of one command.

    Args:
        quiet: results, warnings and errors only.
        progress: whether to show a bar, or lines in a log.
        verbose: also what is only of interest when something goes wrong.
        as_json: the result is one JSON document, so no table is printed.
    """

    def __init__(
        self, *, quiet: bool = False, progress: bool = True, verbose: bool = False, as_json: bool = False
    ) -> None:
        self.quiet = quiet
        self.shows_progress = progress and not quiet
        self.as_json = as_json
        logger = logging.getLogger("rgbdsod")
        logger.handlers[:] = [_Stderr()]
        logger.setLevel(logging.DEBUG if verbose else logging.WARNING)

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> "Screen":
        """The screen that a command's flags ask for."""
        return cls(quiet=flags["quiet"], progress=flags["progress"], verbose=flags["verbose"], as_json=flags["json"])

    def result(self, text: str) -> None:
        """A line of the result; not shown when the result is a JSON document."""
        if not self.as_json:
            _write(sys.stdout, text)

    def document(self, document: Mapping[str, Any] | list[Any]) -> None:
        """The result as the one JSON document of stdout."""
        _write(sys.stdout, json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False))

    def header(self, text: str) -> None:
        """What is about to be done: part of the output, but not of a JSON document."""
        if not self.quiet:
            self.result(text)

    def warn(self, text: str) -> None:
        """Something a user should know before trusting a number."""
        _write(sys.stderr, f"warning: {text}")

    @contextmanager
    def progress(self, label: str, unit: str) -> Iterator[Advance]:
        """Show progress while the block runs.

        Args:
            label: what is done.
            unit: of what `all` counts, for example "images".
        """
        if not self.shows_progress:
            yield lambda done, total, text="": None
        elif sys.stderr.isatty():
            with _bar(label, unit) as advance:
                yield advance
        else:
            yield _Lines(label, unit)


class _Stderr(logging.Handler):
    """Shows what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(sys.stderr, f"rgbdsod: {record.getMessage()}")


class _Lines:
    """A progress line a minute, for logs."""

    def __init__(self, label: str, unit: str) -> None:
        self.label, self.unit = label, unit
        self.start = self.last = time.monotonic()

    def __call__(self, done: float, total: float, text: str = "") -> None:
        now = time.monotonic()
        if now - self.last >= _LOG_EVERY or (done >= total and now - self.start >= _LOG_EVERY):
            self.last = now
            passed = int(now - self.start)
            share = done / max(total, 1)
            clock = f"{passed // 60:02d}:{passed % 60:02d}"
            _write(
                sys.stderr, f"{self.label}  {share:.0%} {int(done)}/{int(total)} {self.unit} {clock} {text}".rstrip()
            )


@contextmanager
def _bar(label: str, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, count="")

        def advance(done: float, total: float, text: str = "") -> None:
            bar.update(task, completed=done, total=total, count=f"{int(done)}/{int(total)} {unit} {text}")

        yield advance


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(_visible(text) + "\n")
        stream.flush()
    except BrokenPipeError:  # the reader (head, less) has seen enough; the work goes on, to nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _visible(text: str) -> str:
    """The text without what a terminal would obey, or could not show: names in files may hold anything."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(letter: str) -> str:
    # Cc: control characters; Cf: what turns the direction of text around, or is not seen; Cs: half a character.
    hidden = letter not in "\n\t" and unicodedata.category(letter) in ("Cc", "Cf", "Cs")
    return ascii(letter)[1:-1] if hidden else letter


def say_error(text: str) -> None:
    """One line that says what is wrong."""
    line = " ".join(text.split())
    if len(line) > _LONGEST:  # what was given is repeated in it; what to do stands at the end
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    _write(sys.stderr, f"rgbdsod: {line}")
