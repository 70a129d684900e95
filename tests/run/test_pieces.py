"""Cutting, committing and merging pieces."""

import numpy as np
import pytest
import torch

from rgbdsod.errors import DataError, DeviceError
from rgbdsod.run.pieces import Piece, compute_pieces, cut, merge, pack, stored_pieces, unpack
from rgbdsod.run.share import Share
from rgbdsod.run.store import MemoryStore, sha256

IDS = [f"i{number}" for number in range(7)]
SIZES = [(4, 4), (4, 4), (6, 4), (4, 4), (6, 4), (4, 4), (4, 4)]


def piece_of(indices):
    ids = [IDS[index] for index in indices]
    rows = [{"id": image, "turn": turn, "value": index / 3} for index, image in zip(indices, ids, strict=True)
            for turn in (0, 1)]  # fmt: skip
    return Piece(ids, rows, {"clean": np.array(indices)[:, None] + np.array([[10, 20]])})


def run(store, batch, compute=piece_of, share=None):
    notes, done = [], []
    compute_pieces(store, IDS, SIZES, batch, compute, note=notes.append, on_done=done.append, share=share)
    return notes, done


def test_cut_groups_equal_sizes_and_keeps_order():
    assert cut(SIZES, 2) == [[0, 1], [2, 4], [3, 5], [6]]
    assert cut(SIZES, 1) == [[index] for index in range(7)]
    assert sorted(index for part in cut(SIZES, 3) for index in part) == list(range(7))


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_every_image_once_in_order_whatever_the_batch(batch):
    store = MemoryStore()
    _, done = run(store, batch)
    merged = merge(stored_pieces(store), IDS)
    assert merged.ids == IDS
    assert [row["id"] for row in merged.rows] == [image for image in IDS for _ in range(2)]
    assert [row["turn"] for row in merged.rows] == [0, 1] * 7
    assert done[0] == 0 and done[-1] == 7 and done == sorted(done)


def test_pieces_travel_through_bytes_exactly():
    piece = piece_of([0, 3])
    back = unpack(pack(piece))
    assert (back.ids, back.rows) == (piece.ids, piece.rows)
    np.testing.assert_array_equal(back.counts["clean"], piece.counts["clean"])


def test_finished_images_are_not_computed_again_also_at_another_batch():
    store = MemoryStore()
    seen = []

    def fails_later(indices):
        if len(seen) >= 3:
            raise KeyboardInterrupt
        seen.extend(indices)
        return piece_of(indices)

    with pytest.raises(KeyboardInterrupt):
        run(store, 2, fails_later)
    assert seen == [0, 1, 2, 4]
    again = []
    run(store, 3, lambda indices: again.extend(indices) or piece_of(indices))
    assert sorted(again) == [3, 5, 6]
    assert merge(stored_pieces(store), IDS).ids == IDS


def test_missing_and_double_images_are_errors():
    with pytest.raises(DataError, match="1 of 7 images are missing from this run: i6"):
        merge([piece_of([0, 1, 3, 5]), piece_of([2, 4])], IDS)
    other = piece_of([4])
    other.rows[0]["value"] = 7
    with pytest.raises(DataError, match="image i4 was computed twice, with different results; use --restart"):
        merge([piece_of([2, 4]), other], IDS)


def test_double_images_that_agree_but_for_their_times_are_one():
    pieces = [piece_of([0, 1, 2, 3, 4, 5, 6]), piece_of([4])]
    for seconds, piece in enumerate(pieces):
        for row in piece.rows:
            row["seconds"] = float(seconds)
    merged = merge(pieces, IDS)
    assert merged.ids == IDS and len(merged.rows) == 14


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "changed", "renamed", "stranger"])
def test_a_damaged_piece_is_removed_noted_and_computed_again(damage):
    store = MemoryStore()
    run(store, 2)
    name = store.names("samples")[1]
    content = store.read(name)
    if damage in ("renamed", "stranger"):
        store.remove(name)
        name = "samples/piece-000002.npz" if damage == "renamed" else f"samples/piece-000002.{'0' * 64}.npz"
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    made = {"truncated": content[:50], "garbage": b"PK" * 90, "empty": b"", "changed": bytes(changed)}
    store.write(name, made.get(damage, content))
    again = []
    notes, done = run(store, 2, lambda indices: again.extend(indices) or piece_of(indices))
    assert again == [2, 4] and done[0] == 5
    assert notes == [f"{name} is damaged (its content does not have the checksum in its name); it is left out, "
                     "and its images are computed again"]  # fmt: skip
    assert merge(stored_pieces(store), IDS).ids == IDS


def test_a_piece_with_a_true_checksum_and_no_sense_is_damaged_too():
    store = MemoryStore()
    for content in (b"", b"PK\x03\x04", b'{"ids": []}'):
        store.write(f"samples/piece-000000.{sha256(content)}.npz", content)
    notes, _ = run(store, 7)
    assert len(notes) == 3 and len(store.names("samples")) == 2


def test_shares_compute_whole_batches_and_together_all():
    store, seen = MemoryStore(), []
    for index in (2, 0, 1):
        run(store, 2, lambda indices: seen.append(indices) or piece_of(indices), share=Share(index, 3))
    assert seen == [[3, 5], [0, 1], [6], [2, 4]]
    assert merge(stored_pieces(store), IDS).ids == IDS


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_batch_is_halved_when_memory_runs_out(error):
    def compute(indices):
        if len(indices) > 1:
            raise error
        return piece_of(indices)

    store = MemoryStore()
    notes, _ = run(store, 4, compute)
    assert notes == ["out of memory at batch 4; continuing with 2", "out of memory at batch 2; continuing with 1"]
    assert merge(stored_pieces(store), IDS).ids == IDS


def test_one_image_that_does_not_fit_is_a_device_error():
    def compute(indices):
        raise torch.OutOfMemoryError

    with pytest.raises(DeviceError, match="out of memory at batch 1"):
        run(MemoryStore(), 2, compute)


def test_other_errors_pass():
    def compute(indices):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        run(MemoryStore(), 2, compute)
