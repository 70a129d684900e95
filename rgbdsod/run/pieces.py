"""A run cut into pieces of images: each is computed, committed by a rename, and merged by image id at the end."""

import io
import json
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import DataError, DeviceError
from rgbdsod.run.memory import free_memory, is_out_of_memory
from rgbdsod.run.share import Share
from rgbdsod.run.store import Store

Counts = NDArray[np.int64]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Piece:
    """What was computed for some images.

    Args:
        ids: the images.
        rows: table rows; each has an "id", and an image may have several (one for each eps).
        counts: by name, integers (len(ids), ...).
    """

    ids: list[str]
    rows: list[dict[str, Any]]
    counts: dict[str, Counts] = field(default_factory=dict)


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
        store: finished pieces lie under samples/.
        ids: all images; sizes: what must be equal within a batch, such as their (H, W).
        batch: largest number of images at once.
        compute: from indices of images of one size to their piece.
        note: is told when the batch shrinks.
        on_done: called with the number of images finished so far.
        share: only these of the batches; None: all.

    Raises:
        DeviceError: when one image alone does not fit into memory.
    """
    done = {image for piece in stored_pieces(store) for image in piece.ids}
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
        store.write(f"samples/piece-{part[0]:06d}.npz", pack(piece))
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


def stored_pieces(store: Store) -> list[Piece]:
    """All finished pieces."""
    return [unpack(store.read(name)) for name in store.names("samples")]


def merge(pieces: Iterable[Piece], ids: Sequence[str]) -> Piece:
    """One piece with every image once, in the order of `ids`.

    Raises:
        DataError: when an image is missing, or computed twice.
    """
    position: dict[str, tuple[Piece, int]] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for piece in pieces:
        for row in piece.rows:
            rows.setdefault(row["id"], []).append(row)
        for index, image in enumerate(piece.ids):
            if image in position:
                raise DataError(f"id {image} is in two pieces of this run; use --restart")
            position[image] = (piece, index)
    missing = [image for image in ids if image not in position]
    if missing:
        raise DataError(f"{len(missing)} of {len(ids)} images are missing from this run: {', '.join(missing[:5])}")
    names = position[ids[0]][0].counts
    counts = {name: np.stack([position[image][0].counts[name][position[image][1]] for image in ids]) for name in names}
    return Piece(list(ids), [row for image in ids for row in rows[image]], counts)


def pack(piece: Piece) -> bytes:
    """A piece as a compressed .npz without pickles; the rows travel as JSON."""
    buffer = io.BytesIO()
    head = json.dumps({"ids": piece.ids, "rows": piece.rows}, allow_nan=False)
    arrays: dict[str, Any] = {f"counts/{name}": values.astype(np.int32) for name, values in piece.counts.items()}
    np.savez_compressed(buffer, head=np.array(head), **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> Piece:
    """A piece from `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        head = json.loads(str(arrays["head"]))
        counts = {
            name.removeprefix("counts/"): arrays[name].astype(np.int64)
            for name in arrays.files
            if name.startswith("counts/")
        }
    return Piece(head["ids"], head["rows"], counts)
