"""Where a run's files go: a folder, or memory when nothing shall be written. Files appear whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rgbdsod.errors import DataError


class Store(Protocol):
    """Files by name; a name may contain folders ("images/0012/rgb.png")."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, replacing one of that name."""
        ...

    def read(self, name: str) -> bytes:
        """Content of a file that was written."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of all files below a folder, sorted."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that does not exist is no error."""
        ...


class MemoryStore:
    """Files in a dict."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def write(self, name: str, content: bytes) -> None:
        """Keep a file."""
        self._files[name] = content

    def read(self, name: str) -> bytes:
        """Content of a file."""
        return self._files[name]

    def names(self, folder: str) -> list[str]:
        """Names of all files below a folder, sorted."""
        return sorted(name for name in self._files if name.startswith(f"{folder}/"))

    def remove(self, name: str) -> None:
        """Forget a file."""
        self._files.pop(name, None)

    def copy_to(self, other: Store) -> None:
        """Write every file into another store."""
        for name, content in self._files.items():
            other.write(name, content)


class DiskStore:
    """Files below a folder.

    Args:
        path: the folder; made on the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: bytes) -> None:
        """Write under a temporary name, then rename: the rename is the commit.

        Raises:
            DataError: when the disk is full or the folder cannot be written; nothing half-written stays.
        """
        path = self.path / name
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with writing(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(content)
                temporary.replace(path)
            except BaseException:
                with suppress_os_error():
                    temporary.unlink(missing_ok=True)
                raise

    def append(self, name: str, line: str) -> None:
        """Add one line to a text file."""
        with writing(self.path / name), (self.path / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self, name: str) -> bytes:
        """Content of a file."""
        return (self.path / name).read_bytes()

    def names(self, folder: str) -> list[str]:
        """Names of all whole files below a folder, sorted."""
        files = (path for path in (self.path / folder).rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.path).as_posix()) for path in files if path.suffix != ".tmp")

    def remove(self, name: str) -> None:
        """Remove a file and the folder it leaves empty."""
        path = self.path / name
        path.unlink(missing_ok=True)
        with suppress_os_error():
            path.parent.rmdir()

    def sweep(self) -> None:
        """Remove temporary files that a killed process left."""
        for path in self.path.rglob(".*.tmp"):
            path.unlink(missing_ok=True)


@contextmanager
def suppress_os_error() -> Iterator[None]:
    """Tidying up must not hide the error that made it necessary."""
    try:
        yield
    except OSError:
        return


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write to `path` into one sentence.

    Raises:
        DataError: with the cause and what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cure = "no space left on the disk; free some and give the same command again, or use another --out"
        else:
            cure = f"{(error.strerror or str(error)).lower()}; use another --out"
        raise DataError(f"cannot write {path}: {cure}") from error
