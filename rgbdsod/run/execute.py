"""How every measuring command runs: open the folder, compute the missing pieces, merge, write the results."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.environment import describe_device, versions
from rgbdsod.run.folder import SCHEMA, RunFolder, to_json
from rgbdsod.run.memory import default_batch
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.outcome import IDS, Outcome, merged_outcome, read_outcome
from rgbdsod.run.pieces import Note, Piece, compute_pieces, cut
from rgbdsod.run.share import Share
from rgbdsod.run.store import MemoryStore
from rgbdsod.run.task import Task

__all__ = ["ImageCallback", "Outcome", "Target", "Task", "execute", "open_store", "recorded"]

_ATTEMPTS = 3  # at pieces that are damaged as soon as they are written
_SET = "adversarial/"

ImageCallback = Callable[[float, int], None]
"""Called with (images done, images in all); an image in progress counts as a fraction."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a run is written.

    Args:
        out: the folder itself; None: `runs/<command>/...`, named after the settings.
        name: the folder's name in `runs/<command>`.
        restart: begin anew in a folder that is there.
        arguments: the command line, for the record.
    """

    out: str | Path | None = None
    name: str | None = None
    restart: bool = False
    arguments: str | None = None


def open_store(
    task: Task, target: Target | None, device: torch.device, batch: int | None = None, share: Share | None = None
) -> tuple[RunFolder | MemoryStore, dict[str, Any]]:
    """Where a task's files go, and its record.

    Args:
        task: what will be computed.
        target: where to write; None keeps everything in memory.
        device: where the task computes.
        batch: images at once; None chooses.
        share: the part of the run that this process computes; None: all of it.

    Raises:
        UsageError: the folder was made with other settings, or holds something else.
    """
    record = task.record() | {"versions": versions(), "device": describe_device(device)}
    record["batch"] = batch or default_batch(device)
    if target is None:
        if share is not None:
            raise UsageError(f"share {share}: shares meet in a run folder; give out=DIR")
        head = {"schema": SCHEMA, "status": "finished", "command": task.command, "arguments": None}
        return MemoryStore(), head | {"settings": task.settings()} | record
    folder = RunFolder.open(
        task.command, task.settings(), title=task.title, out=target.out, name=target.name,
        restart=target.restart, arguments=target.arguments, record=record, share=share,
    )  # fmt: skip
    return folder, folder.record


def execute(
    task: Task,
    *,
    target: Target | None,
    device: torch.device,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
    share: Share | None = None,
) -> Outcome:
    """Run a task, or continue it, or read its results if it is finished.

    Args:
        task: what to compute.
        target: where to write; None keeps everything in memory.
        device: where the task computes.
        batch: largest number of images at once; None chooses.
        callback: is told about progress.
        on_open: called when the folder is open and work begins.
        share: compute this part of the run alone; the process that computes the last missing image writes the results,
            and what the others return is not `complete`.

    Raises:
        UsageError: settings or batch do not fit the folder's. DataError: files cannot be read or written.
    """
    if batch is not None and batch < 1:
        raise UsageError(f"--batch {batch}: at least 1 image, or auto")
    store, record = open_store(task, target, device, batch, share)
    tell = callback or (lambda done, total: None)
    if isinstance(store, RunFolder) and store.finished:
        if on_open is not None:
            on_open()
        return read_outcome(store)
    with recorded(store, share):
        if on_open is not None:
            on_open()
        size = int(record["batch"])
        if batch not in (None, size):
            raise UsageError(f"--batch {batch}: shares of this run are cut from batches of {size}; leave out --batch")
        for _ in range(_ATTEMPTS):
            _compute(task, store, size, tell, share)
            outcome = merged_outcome(task, store, record, _noting(store))
            if _ours(task, size, share).isdisjoint(outcome.missing):
                return outcome
        raise DataError("what this run writes reads back differently each time; use an --out on another disk")


def _compute(
    task: Task, store: RunFolder | MemoryStore, batch: int, callback: ImageCallback, share: Share | None
) -> None:
    ids, sizes = task.data.ids, task.data.sizes()
    finished = 0

    def on_done(count: int) -> None:
        nonlocal finished
        finished = count
        callback(count, len(ids))

    def compute(part: list[int]) -> Piece:
        with _witnessed(store) as written:
            piece = task.compute(part, store, lambda done: callback(finished + done, len(ids)))
        return replace(piece, files={name: found for name, found in written.items() if name.startswith(_SET)})

    task.begin(store)
    if isinstance(store, RunFolder):
        store.write(IDS, to_json({"schema": "rgbdsod.ids/1", "ids": ids}))
    with frozen(*task.modules):
        compute_pieces(store, ids, sizes, batch, compute, note=_noting(store), on_done=on_done, share=share)


def _ours(task: Task, batch: int, share: Share | None) -> set[str]:
    """The images that this process has to compute."""
    parts = cut(task.data.sizes(), batch)
    return {task.data.ids[index] for part in (parts if share is None else share.of(parts)) for index in part}


def _noting(store: RunFolder | MemoryStore) -> Note:
    def note(text: str) -> None:
        LOGGER.warning(text)
        if isinstance(store, RunFolder):
            store.log("note", text=text)

    return note


def _witnessed(store: RunFolder | MemoryStore) -> AbstractContextManager[dict[str, str]]:
    """What is written, with its checksum; in memory nothing can be damaged."""
    return store.witnessed() if isinstance(store, RunFolder) else nullcontext({})


class recorded:  # noqa: N801  (reads as what the block is)
    """Writes into run.json how the block ended, and how long it took.

    Args:
        store: of a run; memory records nothing.
        share: the part that the block computes. The run goes on when it ends, unless the block finishes it.
    """

    def __init__(self, store: RunFolder | MemoryStore, share: Share | None = None) -> None:
        self.folder = store if isinstance(store, RunFolder) else None
        self.share = share
        self.begin = time.monotonic()

    def __enter__(self) -> None:
        if self.folder is not None:
            self._log("start")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.folder is None:
            return
        try:
            self._close(error)
        finally:
            self.folder.close()

    def _close(self, error: BaseException | None) -> None:
        folder = self.folder
        if folder is None:
            return
        seconds = time.monotonic() - self.begin
        if error is None:
            self._log("finish", seconds=seconds)
            folder.spend(seconds)
            if self.share is None and not folder.finished:
                folder.finish()
            return
        status = "failed" if isinstance(error, Exception) else "interrupted"
        with suppress(DataError):  # on a full disk this cannot be written either
            self._log(status, error=str(error))
            folder.spend(seconds)
            if self.share is None:
                folder.finish(status)

    def _log(self, event: str, **fields: Any) -> None:
        if self.folder is not None:
            self.folder.log(event, **fields, **({} if self.share is None else {"share": str(self.share)}))
