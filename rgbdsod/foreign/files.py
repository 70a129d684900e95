"""Bytes of files that others wrote, and what is wrong with a file, in words for one line of a terminal."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rgbdsod.errors import DataError, RgbdsodError

TEXT = 256 << 20
"""Bytes of a text that is read whole: lists, tables, records of runs."""

_SHOWN, _WORD = 160, 60
# What opening a file, and taking apart a document of another form than it should have, raise.
_FORM = (OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, MemoryError)


class UnfitError(ValueError):
    """A file that can be read, but is not read; the text goes on after the file's name, and says what to do."""


def read_bytes(path: str | Path, most: int = TEXT) -> bytes:
    """The content of a file.

    Args:
        path: of a regular file; a pipe would be waited for without end.
        most: bytes that it may have.

    Raises:
        OSError: it is missing or cannot be opened.
        UnfitError: it is larger, or no regular file.
    """
    file = Path(path)
    check_regular(file)
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise UnfitError(f"is larger than {megabytes(most)}; pass a file of this kind, or split it")
    return content


def read_text(path: str | Path, most: int = TEXT, errors: str = "strict") -> str:
    """The content of a UTF-8 file; arguments and errors as of `read_bytes`.

    Raises:
        UnicodeDecodeError: it is no UTF-8, unless `errors` says otherwise.
    """
    return read_bytes(path, most).decode("utf-8", errors)


def check_regular(path: Path) -> None:
    """Refuse pipes and devices before they are opened.

    Raises:
        OSError: there is no such file.
        UnfitError: it is no regular file.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder says what it is
        raise UnfitError("is a pipe or a device; pass a regular file")


def below(folder: Path, name: str) -> Path:
    """A file that a document names, in the document's folder; links that lie there are followed.

    Raises:
        UnfitError: the name leads elsewhere.
    """
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UnfitError(f"names {shown(name)}, which is not in {folder}; name files of that folder")
    return folder / path


def is_within(folder: Path, path: Path) -> bool:
    """Whether a file lies in a folder when symbolic links are followed."""
    root = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118  # of a real path
    return "\0" not in str(path) and os.path.realpath(path).startswith(root)


@contextmanager
def expecting(what: str, cure: str, error: type[RgbdsodError] = DataError) -> Iterator[None]:
    """Within it, whatever a file raises that is missing or of another form becomes one sentence.

    Args:
        what: begins the sentence: "runs/a/metrics.json".
        cure: ends it: what to do.
        error: its class.
    """
    try:
        yield
    except RgbdsodError:
        raise
    except _FORM as found:
        raise error(f"{what} cannot be read ({reason(found)}); {cure}") from found


def reason(error: BaseException) -> str:
    """What an error says, in a few words on one line."""
    if isinstance(error, KeyError) and error.args:
        return f"there is no {shown(error.args[0])}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return plain(" ".join(str(error).split()).rstrip("."), _SHOWN) or type(error).__name__


def shown(value: object) -> str:
    """A value from a file as a sentence may hold it: short, and without what a terminal would obey."""
    return f'"{plain(value)}"' if isinstance(value, str) else plain(_repr(value))


def plain(text: str, most: int = _WORD) -> str:
    """A text, short, and without what a terminal would obey."""
    start = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:most])
    return start if len(text) <= most else f"{start[: most - 3]}..."


def _repr(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits, or lists in lists
        return type(value).__name__


def megabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:.3g} MB" if size >= 1e5 else f"{size} bytes"
