"""A run cut into pieces of images: each is computed, committed by a rename, and merged by image id at the end."""

import io
import json
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import DataError, DeviceError
from rgbdsod.foreign.arrays import read_npz
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import reason
from rgbdsod.foreign.times import without_times
from rgbdsod.run.memory import free_memory, is_out_of_memory
from rgbdsod.run.share import Share
from rgbdsod.run.store import Store, sha256

Counts = NDArray[np.int64]
Note = Callable[[str], None]

_NAME = re.compile(r"samples/piece-\d+\.([0-9a-f]{64})\.npz")
NOT_A_PIECE = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What reading a file that is no piece may raise."""


@dataclass(frozen=True)
class Piece:
    """What was computed for some images.

    Args:
        ids: the images.
        rows: table rows; each has an "id", and an image may have several (one for each eps).
        counts: by name, integers (len(ids), ...).
        files: SHA-256 by name of the files that were written beside it.
    """

    ids: list[str]
    rows: list[dict[str, Any]]
    counts: dict[str, Counts] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def cut(sizes: Sequence[Hashable], batch: int) -> list[list[int]]:
    """Indices in parts of at most `batch` images of one size, in the order of their first image."""
    groups: dict[Hashable, list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    parts = [group[i : i + batch] for group in groups.values() for i in range(0, len(group), batch)]
    return sorted(parts)


def compute_pieces(
    store: Store,
    ids: Sequence[str],
    sizes: Sequence[Hashable],
    batch: int,
    compute: Callable[[list[int]], Piece],
    *,
    note: Note,
    on_done: Callable[[int], None],
    share: Share | None = None,
) -> None:
    """Compute and commit every piece that is not there yet, halving the batch when memory runs out.

    Args:
        store: finished pieces lie under samples/; one that is damaged is removed and computed again.
        ids: all images; sizes: what must be equal within a batch, such as their (H, W).
        batch: largest number of images at once.
        compute: from indices of images of one size to their piece.
        note: is told when the batch shrinks, and when a piece is damaged.
        on_done: called with the number of images finished so far.
        share: only these of the batches; None: all.

    Raises:
        DeviceError: when one image alone does not fit into memory.
    """
    done = {image for piece in stored_pieces(store, note) for image in piece.ids}.intersection(ids)
    count = len(done)
    on_done(count)
    parts = cut(sizes, batch)
    queue = deque(parts if share is None else share.of(parts))
    while queue:
        part = [index for index in queue.popleft() if ids[index] not in done]
        if not part:
            continue
        if len(part) > batch:
            queue.appendleft(part[batch:])
            part = part[:batch]
        piece = _try(compute, part)
        if piece is None:
            batch = _halve(len(part), note)
            queue.appendleft(part)
            continue
        commit(store, part[0], piece)
        count += len(part)
        on_done(count)


def _try(compute: Callable[[list[int]], Piece], part: list[int]) -> Piece | None:
    """The piece, or None when memory ran out; the error's frames are gone by then, and with them what they held."""
    try:
        return compute(part)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    free_memory()
    return None


def _halve(batch: int, note: Note) -> int:
    if batch == 1:
        raise DeviceError("out of memory at batch 1; use smaller images, --dtype bfloat16, or another --device")
    note(f"out of memory at batch {batch}; continuing with {batch // 2}")
    return batch // 2


def commit(store: Store, first: int, piece: Piece) -> None:
    """Write a piece; its name holds the checksum of its content.

    Args:
        store: where to.
        first: index of its first image.
        piece: to be kept.
    """
    content = pack(piece)
    store.write(f"samples/piece-{first:06d}.{sha256(content)}.npz", content)


def read_pieces(store: Store, note: Note | None = None, *, remove: bool = True) -> dict[str, Piece]:
    """All finished pieces by name, without those that do not have their checksum.

    Args:
        store: they lie under samples/.
        note: is told about these.
        remove: whether these are removed.
    """
    found = {}
    for name in store.names("samples"):
        try:
            content = store.read(name)
            named = _NAME.fullmatch(name)
            if named is None or named[1] != sha256(content):
                raise ValueError("its content does not have the checksum in its name")
            found[name] = unpack(content)
        except FileNotFoundError:
            continue  # another process has merged and removed it
        except NOT_A_PIECE as error:
            if remove:
                store.remove(name)
            if note is not None:
                note(f"{name} is damaged ({reason(error)}); it is left out, and its images are computed again")
    return found


def stored_pieces(store: Store, note: Note | None = None) -> list[Piece]:
    """All finished pieces; see `read_pieces`."""
    return list(read_pieces(store, note).values())


def merge(pieces: Iterable[Piece], ids: Sequence[str]) -> Piece:
    """One piece with every image once, in the order of `ids`; what was computed twice must be the same.

    Raises:
        DataError: when an image is missing, or two pieces disagree about it.
    """
    found: dict[str, Piece] = {}
    for piece in pieces:
        for image, alone in split(piece).items():
            if image in found and not agree(found[image], alone):
                raise DataError(f"image {image} was computed twice, with different results; use --restart")
            found.setdefault(image, alone)
    missing = [image for image in ids if image not in found]
    if missing:
        raise DataError(f"{len(missing)} of {len(ids)} images are missing from this run: {', '.join(missing[:5])}")
    chosen = [found[image] for image in ids]
    names = chosen[0].counts if chosen else ()
    counts = {name: np.concatenate([one.counts[name] for one in chosen]) for name in names}
    return Piece(list(ids), [row for one in chosen for row in one.rows], counts)


def split(piece: Piece) -> dict[str, Piece]:
    """A piece for each image."""
    rows: dict[str, list[dict[str, Any]]] = {image: [] for image in piece.ids}
    for row in piece.rows:
        rows[row["id"]].append(row)
    return {
        image: Piece([image], rows[image], {name: values[i : i + 1] for name, values in piece.counts.items()})
        for i, image in enumerate(piece.ids)
    }


def agree(one: Piece, other: Piece) -> bool:
    """Whether two pieces say the same, but for the time it took."""
    return (
        one.ids == other.ids
        and without_times(one.rows) == without_times(other.rows)
        and one.counts.keys() == other.counts.keys()
        and all(np.array_equal(values, other.counts[name]) for name, values in one.counts.items())
    )


def pack(piece: Piece) -> bytes:
    """A piece as a compressed .npz without pickles; the rows travel as JSON."""
    buffer = io.BytesIO()
    files = {"files": piece.files} if piece.files else {}
    head = json.dumps({"ids": piece.ids, "rows": piece.rows, **files}, allow_nan=False)
    arrays: dict[str, Any] = {f"counts/{name}": values.astype(np.int32) for name, values in piece.counts.items()}
    np.savez_compressed(buffer, head=np.array(head), **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> Piece:
    """A piece from `pack`.

    Raises:
        ValueError, or another of `NOT_A_PIECE`: it is none.
    """
    arrays = {name: values for name, values in read_npz(content).items() if values is not None}
    head = parse_json(str(arrays.pop("head")))
    counts = {name.removeprefix("counts/"): values.astype(np.int64) for name, values in arrays.items()}
    ids, rows, files = head["ids"], head["rows"], head.get("files", {})
    known = set(ids)
    sound = all(isinstance(text, str) for text in (*ids, *files, *files.values()))
    if not sound or len(known) != len(ids) or any(row["id"] not in known for row in rows):
        raise ValueError("its rows are not those of its images")
    if any(len(values) != len(ids) for values in counts.values()):
        raise ValueError("its counts are not those of its images")
    return Piece(ids, rows, counts, files)
