"""From the pieces of a run to its results."""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.errors import DataError
from rgbdsod.foreign.files import reason
from rgbdsod.foreign.times import FILE, times_of, with_times, without_times
from rgbdsod.run.folder import RunFolder, to_json
from rgbdsod.run.manifest import write_manifest
from rgbdsod.run.pieces import NOT_A_PIECE, Note, Piece, merge, pack, read_pieces, unpack
from rgbdsod.run.samples import table_file
from rgbdsod.run.store import MemoryStore, Store, sha256, suppress_os_error
from rgbdsod.run.task import Task

IDS = "ids.json"
"""Names of all images of a run that is not finished: by them a merge knows what is missing."""


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


def merged_outcome(task: Task, store: RunFolder | MemoryStore, record: dict[str, Any], note: Note) -> Outcome:
    """Merge the pieces, and write the results if every image is there; one process at a time does so.

    Args:
        task: what the pieces are of.
        store: where they lie.
        record: content of run.json.
        note: is told about pieces that are damaged; these are removed.
    """
    with nullcontext() if isinstance(store, MemoryStore) else store.merging():
        if isinstance(store, RunFolder) and store.finished:
            _tidy(store)  # another share was quicker
            return outcome_of(store)
        pieces = _sound_pieces(store, note)
        there = {image for piece in pieces for image in piece.ids}
        missing = tuple(image for image in task.data.ids if image not in there)
        merged = merge(pieces, [image for image in task.data.ids if image in there])
        if missing:
            return Outcome(merged, {}, record, store, missing=missing)
        metrics = _document(task, merged, record)
        _write(store, merged, metrics)
        write_manifest(store, record, metrics)
        if isinstance(store, RunFolder):
            store.finish()  # before the pieces go, so that a run that is killed here is not computed again
            _tidy(store)
        return Outcome(merged, metrics, record, store)


def read_outcome(folder: RunFolder) -> Outcome:
    """The results of a finished run.

    Raises:
        DataError: they are damaged.
    """
    _tidy_after(folder)
    return outcome_of(folder)


def outcome_of(folder: RunFolder) -> Outcome:
    """The results of a finished run; nothing in its folder is changed.

    Raises:
        DataError: they are damaged.
    """
    metrics = folder.document("metrics.json")
    try:
        piece = unpack(folder.read("counts.npz"))
        if folder.has(FILE):  # runs of old have their times in the rows
            piece = Piece(piece.ids, with_times(piece.rows, folder.read(FILE)), piece.counts)
    except NOT_A_PIECE as error:
        raise DataError(f"{folder.path} is finished but cannot be read ({reason(error)}); use --restart") from error
    return Outcome(piece, metrics, folder.record, folder, reused=True)


def _sound_pieces(store: RunFolder | MemoryStore, note: Note) -> list[Piece]:
    """The pieces whose files are as they were written."""
    sound = []
    for name, piece in read_pieces(store, note).items():
        damaged = next((file for file, wanted in piece.files.items() if _sum(store, file) != wanted), None)
        if damaged is None:
            sound.append(piece)
        else:
            note(f"{damaged} is damaged; {name} is removed, and its images are computed again")
            store.remove(name)
    return sound


def _sum(store: Store, name: str) -> str | None:
    try:
        return sha256(store.read(name))
    except OSError:
        return None


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
    rows = without_times(merged.rows)
    store.write(FILE, to_json(times_of(merged.rows)))
    store.write("counts.npz", pack(Piece(merged.ids, rows, merged.counts)))
    store.write(*table_file(rows))
    store.write("metrics.json", to_json(metrics))


def _tidy_after(folder: RunFolder) -> None:
    """Remove what a process left that was killed after it had written the results; not while others are at work."""
    if folder.names("samples") or folder.has(IDS) or folder.litter():
        with suppress(DataError, OSError), folder.alone():
            _tidy(folder)
            folder.sweep()


def _tidy(store: Store) -> None:
    """Remove what only a run that is not finished needs."""
    with suppress_os_error():
        for name in [*store.names("samples"), IDS]:
            store.remove(name)
