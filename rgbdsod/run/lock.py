"""Who computes in a run folder: one process alone, or several, each with a share of its own."""

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rgbdsod.errors import DataError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import plain
from rgbdsod.run.share import Share
from rgbdsod.run.store import DiskStore, suppress_os_error, writing

LOCKS = ".locks"
"""Folder of the locks; an operating system frees those of a process that died."""

_WHOLE = "whole"
_GATE, _MERGE = "gate", "merge"
_PATIENCE = 120.0  # seconds to wait for a process that opens the folder right now; that takes milliseconds


class FolderLock:
    """The lock of one process on a run folder.

    A lock file is held by the operating system as long as its process lives; a .json of the same name says who it is,
    for the others' error messages.

    Args:
        folder: of the run.
        share: the part that this process computes; None: all of it, so that nobody else may compute.
        command: what others are told that the process does; None: its command line.
    """

    def __init__(self, folder: Path, share: Share | None = None, command: str | None = None) -> None:
        self.folder, self.share = folder, share
        self.command = command or shlex.join(sys.argv)
        self._name = _WHOLE if share is None else f"{share.index + 1}-of-{share.count}"
        self._store = DiskStore(folder)
        self._own: FileLock | None = None

    @contextmanager
    def opening(self, *, alone: bool = False) -> Iterator[bool]:
        """Take the lock; while the block runs, nobody else can open the folder. An error in it gives the lock back.

        Args:
            alone: other shares must be free, too.

        Yields:
            Whether nobody else computes here.

        Raises:
            DataError: somebody holds it, or there can be no lock.
        """
        with self._waiting(_GATE, _PATIENCE):
            others = [name for name in self._names() if name != self._name and self._held(name)]
            conflicts = others if alone or self.share is None else [name for name in others if name == _WHOLE]
            own = self._lock(self._name)
            if conflicts or not _take(own):
                raise DataError(self._refusal((conflicts or [self._name])[0], alone=alone))
            self._own = own
            try:
                self._sign()
                yield not others
            except BaseException:
                self.release()
                raise

    @contextmanager
    def merging(self) -> Iterator[None]:
        """Among the shares, one process at a time reads all pieces and writes results."""
        with self._waiting(_MERGE, -1):
            yield

    def release(self) -> None:
        """Give the lock back; without one nothing happens."""
        if self._own is not None:
            with suppress_os_error():
                (self.folder / LOCKS / f"{self._name}.json").unlink(missing_ok=True)
            self._own.release()
            self._own = None

    def _lock(self, name: str) -> FileLock:
        path = self._store.locate(f"{LOCKS}/{name}.lock")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path, thread_local=False)

    def _names(self) -> list[str]:
        found = sorted(path.stem for path in (self.folder / LOCKS).glob("*.lock"))
        return [name for name in found if name not in (_GATE, _MERGE)]

    def _held(self, name: str) -> bool:
        lock = self._lock(name)
        free = _take(lock)
        if free:
            lock.release()
        return not free

    @contextmanager
    def _waiting(self, name: str, seconds: float) -> Iterator[None]:
        lock = self._lock(name)
        if not _take(lock, seconds):
            raise DataError(f"{self.folder} is being opened by another process; give the same command again")
        try:
            yield
        finally:
            lock.release()

    def _sign(self) -> None:
        """Write down who holds the lock."""
        holder = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "command": self.command,
            "start": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._store.write(f"{LOCKS}/{self._name}.json", (json.dumps(holder) + "\n").encode())

    def _refusal(self, name: str, *, alone: bool) -> str:
        what = str(self.folder) if name == _WHOLE else f"share {name.replace('-of-', '/')} of {self.folder}"
        try:
            holder = parse_json(self._store.read(f"{LOCKS}/{name}.json"))
            pid, host, start, command = (plain(str(holder[key]), 200) for key in ("pid", "host", "start", "command"))
            who = f"process {pid} on {host} since {start} ({command})"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"
        if alone:
            cure = "--restart needs all shares free: stop it first"
        else:
            cure = "wait until it is through, stop it, or use another --out"
        return f"{what} is held by {who}; {cure}"


def _take(lock: FileLock, seconds: float = 0) -> bool:
    """Take a lock, if it is or becomes free within some seconds; -1 waits for ever."""
    with writing(Path(lock.lock_file)):
        try:
            lock.acquire(timeout=seconds)
        except Timeout:  # an OSError as well
            return False
    return True
