"""Splits that are disjoint in patches and photographs, and lists with checksums."""

from pathlib import Path

import numpy as np
import pytest

from rgbdsod.datasets import (
    ShapeScenes,
    check_manifest,
    photograph_sha256,
    split_patches,
    write_manifest,
    write_rgb,
)
from rgbdsod.errors import DataError, UsageError


def test_training_and_test_share_neither_patch_nor_photograph() -> None:
    photographs = [photograph_sha256(one) for one in ShapeScenes(10, side=32)]
    patches = [f"patch-{number}" for number in range(5)]
    split = split_patches([*photographs, *photographs[:3]], patches, seed=1)
    assert (len(split.photographs), len(split.patches)) == (4, 2)
    assert split == split_patches(photographs[::-1], patches[::-1], seed=1)
    assert split != split_patches(photographs, patches, seed=2)
    blocks = {(one, two): split.block(one, two) for one in photographs for two in patches}
    train, test = ([pair for pair, block in blocks.items() if block == name] for name in ("train", "test"))
    assert (len(train), len(test)) == (18, 8)
    assert not {one for one, _ in train} & {one for one, _ in test}
    assert not {two for _, two in train} & {two for _, two in test}
    assert sorted(set(blocks.values())) == ["test", "train", "unseen-patch", "unseen-photograph"]


def test_a_split_needs_two_of_each_and_a_share() -> None:
    with pytest.raises(UsageError, match="1 different photographs cannot be split; pass two or more"):
        split_patches(["a", "a"], ["x", "y"])
    with pytest.raises(UsageError, match="test share of 1 splits nothing"):
        split_patches(["a", "b"], ["x", "y"], test=1)


def test_a_list_tells_changed_and_missing_files(tmp_path: Path) -> None:
    write_rgb(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    write_manifest(tmp_path / "samples.jsonl", [{"file": "a.png", "block": "test"}])
    assert check_manifest(tmp_path / "samples.jsonl")[0]["block"] == "test"
    write_rgb(tmp_path / "a.png", np.ones((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"a.png is missing or not the file of samples.jsonl"):
        check_manifest(tmp_path / "samples.jsonl")
    with pytest.raises(DataError, match=r"b.png, which is not there; write the images first"):
        write_manifest(tmp_path / "samples.jsonl", [{"file": "b.png"}])
