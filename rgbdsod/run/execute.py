"""How every measuring command runs: open the folder, compute the missing pieces, merge, write the results."""

import json
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.environment import describe_device, versions
from rgbdsod.run.folder import SCHEMA, RunFolder, to_json
from rgbdsod.run.memory import default_batch
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.pieces import Piece, compute_pieces, merge, pack, stored_pieces, unpack
from rgbdsod.run.samples import table_file
from rgbdsod.run.share import Share
from rgbdsod.run.store import MemoryStore, Store, suppress_os_error

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


class Images(Protocol):
    """What a command computes on."""

    @property
    def ids(self) -> list[str]:
        """One name for each image, all different."""
        ...

    def sizes(self) -> Sequence[Hashable]:
        """What images of one batch have in common, such as their (H, W)."""
        ...


class Task(Protocol):
    """What one command computes."""

    @property
    def command(self) -> str:
        """The command's name."""
        ...

    @property
    def title(self) -> str:
        """Readable beginning of the folder's name."""
        ...

    @property
    def data(self) -> Images:
        """The images."""
        ...

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """What is held in evaluation mode."""
        ...

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, in TOML's types."""
        ...

    def record(self) -> dict[str, Any]:
        """Entries of run.json: model, data, seed, dtype."""
        ...

    def begin(self, store: Store) -> None:
        """Write what does not belong to a piece."""
        ...

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Compute images of one batch; `advance` takes how many of them are done."""
        ...

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """The content of metrics.json but for what every command has."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What a run left.

    Args:
        piece: all images' rows and counts; of an incomplete run those that are there.
        metrics: content of metrics.json; of an incomplete run nothing.
        record: content of run.json.
        store: its files.
        reused: the run was finished before, and was only read.
        missing: images that other shares have yet to compute.
    """

    piece: Piece
    metrics: dict[str, Any]
    record: dict[str, Any]
    store: RunFolder | MemoryStore
    reused: bool = False
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all images are there, and the results written."""
        return not self.missing

    @property
    def folder(self) -> Path | None:
        """Where it lies, if it was written."""
        return self.store.path if isinstance(self.store, RunFolder) else None


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
    if on_open is not None:
        on_open()
    if isinstance(store, RunFolder) and store.finished:
        return _read(store)
    size = int(record["batch"])
    if batch not in (None, size):
        raise UsageError(f"--batch {batch}: the shares of this run are cut from batches of {size}; leave out --batch")
    with recorded(store, share):
        _compute(task, store, size, callback or (lambda done, total: None), share)
        outcome = _merge(task, store, record, share)
    if outcome.complete:
        _tidy(store)
    return outcome


def _compute(task: Task, store: Store, batch: int, callback: ImageCallback, share: Share | None) -> None:
    ids, sizes = task.data.ids, task.data.sizes()
    finished = 0

    def on_done(count: int) -> None:
        nonlocal finished
        finished = count
        callback(count, len(ids))

    def note(text: str) -> None:
        LOGGER.warning(text)
        if isinstance(store, RunFolder):
            store.log("note", text=text)

    def compute(part: list[int]) -> Piece:
        return task.compute(part, store, lambda done: callback(finished + done, len(ids)))

    task.begin(store)
    with frozen(*task.modules):
        compute_pieces(store, ids, sizes, batch, compute, note=note, on_done=on_done, share=share)


def _merge(task: Task, store: RunFolder | MemoryStore, record: dict[str, Any], share: Share | None) -> Outcome:
    """The results, if every image is there; only shares may leave some to others."""
    pieces, ids = stored_pieces(store), task.data.ids
    there = {image for piece in pieces for image in piece.ids}
    missing = tuple(image for image in ids if image not in there)
    if missing and share is not None:
        return Outcome(merge(pieces, [image for image in ids if image in there]), {}, record, store, missing=missing)
    merged = merge(pieces, ids)
    metrics = _document(task, merged, record)
    _write(store, merged, metrics)
    if isinstance(store, RunFolder) and share is not None:
        store.finish()
    return Outcome(merged, metrics, record, store)


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
        seconds = time.monotonic() - self.begin
        self.folder.record["seconds"] = round(self.folder.record.get("seconds", 0.0) + seconds, 3)
        if error is None:
            self._log("finish", seconds=seconds)
            if self.share is None:
                self.folder.finish()
            else:
                self.folder.write_record()
            return
        status = "failed" if isinstance(error, Exception) else "interrupted"
        try:  # on a full disk this cannot be written either
            self._log(status, error=str(error))
            if self.share is None:
                self.folder.finish(status)
        except DataError:
            return

    def _log(self, event: str, **fields: Any) -> None:
        if self.folder is not None:
            self.folder.log(event, **fields, **({} if self.share is None else {"share": str(self.share)}))


def _document(task: Task, merged: Piece, record: Mapping[str, Any]) -> dict[str, Any]:
    """metrics.json: no times, so that an interrupted and an unbroken run agree byte for byte."""
    head = {
        "schema": "rgbdsod.metrics/1",
        "command": task.command,
        "model": record["model"]["name"],
        "data": record["data"]["name"],
        "images": len(merged.ids),
        "note": record["model"].get("note") or None,
    }
    return head | task.metrics(merged)


def _write(store: Store, merged: Piece, metrics: dict[str, Any]) -> None:
    """The results; a run that is killed here merges its pieces again."""
    store.write("counts.npz", pack(merged))
    store.write(*table_file(merged.rows))
    store.write("metrics.json", to_json(metrics))


def _tidy(store: Store) -> None:
    """Remove the pieces of a run that is finished."""
    with suppress_os_error():
        for name in store.names("samples"):
            store.remove(name)


def _read(folder: RunFolder) -> Outcome:
    """The results of a finished run."""
    try:
        piece = unpack(folder.read("counts.npz"))
        metrics = json.loads(folder.read("metrics.json"))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder.path} is finished but cannot be read ({error}); use --restart") from error
    _tidy(folder)
    return Outcome(piece, metrics, folder.record, folder, reused=True)
