"""Where a run's files go: a folder, or memory when nothing shall be written. Files appear whole or not at all."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
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
    """Files below a folder. A name that leads out of it, by dots or through a link, is refused.

    Args:
        path: the folder; made on the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._witness: dict[str, str] | None = None

    def locate(self, name: str) -> Path:
        """Where a file of this name lies.

        Raises:
            DataError: outside of the folder.
        """
        parts = PurePosixPath(name).parts
        path = self.path.joinpath(*parts)
        inside = [self.path.joinpath(*parts[: depth + 1]) for depth in range(len(parts))]
        if ".." in parts or PurePosixPath(name).is_absolute():
            raise DataError(f"{name} is no name inside {self.path}; rename it at its source")
        link = next((part for part in inside if part.is_symlink()), None)
        if link is not None and not path.resolve().is_relative_to(self.path.resolve()):
            raise DataError(f"{link} is a link that leads out of {self.path}; remove it, or use another --out")
        return path

    def write(self, name: str, content: bytes) -> None:
        """Write under a temporary name, then rename: the rename is the commit.

        Raises:
            DataError: when the disk is full or the folder cannot be written; nothing half-written stays.
        """
        path = self.locate(name)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with writing(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(content)
                if self.lasting(name):
                    _sync(temporary)
                temporary.replace(path)
                if self.lasting(name):
                    _sync(path.parent)
            except BaseException:
                with suppress_os_error():
                    temporary.unlink(missing_ok=True)
                raise
        if self._witness is not None:
            self._witness[name] = sha256(content)

    def lasting(self, name: str) -> bool:
        """Whether a file must be on the disk, power cut or not, before the next is written; that takes a while."""
        return False

    @contextmanager
    def witnessed(self) -> Iterator[dict[str, str]]:
        """Collects SHA-256 by name of what is written while the block runs."""
        written: dict[str, str] = {}
        self._witness = written
        try:
            yield written
        finally:
            self._witness = None

    def append(self, name: str, line: str) -> None:
        """Add one line to a text file."""
        path = self.locate(name)
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self, name: str) -> bytes:
        """Content of a file."""
        return self.locate(name).read_bytes()

    def names(self, folder: str) -> list[str]:
        """Names of all whole files below a folder, sorted."""
        files = (path for path in _below(self.locate(folder), "*") if path.is_file())
        return sorted(str(path.relative_to(self.path).as_posix()) for path in files if path.suffix != ".tmp")

    def remove(self, name: str) -> None:
        """Remove a file and the folder it leaves empty."""
        path = self.locate(name)
        with writing(path):
            path.unlink(missing_ok=True)
        with suppress_os_error():
            path.parent.rmdir()

    def litter(self) -> list[Path]:
        """Temporary files, of processes that are writing or were killed."""
        return _below(self.path, ".*.tmp")

    def sweep(self) -> None:
        """Remove temporary files; only when nobody else is writing."""
        for path in self.litter():
            with writing(path):
                path.unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    """Checksum of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _below(folder: Path, pattern: str) -> list[Path]:
    """Everything of a pattern below a folder; one that another process removes at this moment is empty."""
    try:
        return list(folder.rglob(pattern))
    except FileNotFoundError:
        return []


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; where that cannot be asked for, nothing happens."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(descriptor)


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
