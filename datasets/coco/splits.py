"""A split that is disjoint in patches and in photographs, and a list of samples with their checksums."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rgbdsod.datasets.coco.boxed import BoxedImage
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import below, expecting, read_text

Block = Literal["train", "unseen-patch", "unseen-photograph", "test"]
"""What of a sample training has seen: both, the photograph alone, the patch alone, or nothing ("test")."""


@dataclass(frozen=True)
class PatchSplit:
    """Which photographs and which patches are kept for the test.

    Attributes:
        photographs: SHA-256 of the pixels of those kept.
        patches: SHA-256 of those kept.
    """

    photographs: frozenset[str]
    patches: frozenset[str]

    def block(self, photograph: str, patch: str) -> Block:
        """The block of a sample, by the SHA-256 of its photograph and of its patch."""
        if photograph in self.photographs:
            return "test" if patch in self.patches else "unseen-photograph"
        return "unseen-patch" if patch in self.patches else "train"


def split_patches(
    photographs: Iterable[str], patches: Iterable[str], *, test: float = 0.4, seed: int = 0
) -> PatchSplit:
    """Draw what is kept for the test; equal photographs and equal patches cannot end on both sides.

    Args:
        photographs: SHA-256 of each one's pixels, in any order.
        patches: SHA-256 of each one.
        test: share of each that is kept, between 0 and 1.
        seed: of the draw.

    Raises:
        UsageError: a share outside its range, or fewer than two different photographs or patches.
    """
    if not 0 < test < 1:
        raise UsageError(f"a test share of {test:g} splits nothing; pass one between 0 and 1")
    return PatchSplit(_kept(set(photographs), test, seed, "photographs"), _kept(set(patches), test, seed, "patches"))


def photograph_sha256(image: BoxedImage) -> str:
    """The checksum of a photograph's pixels, whatever its file is called."""
    return hashlib.sha256(repr(image.image.shape).encode() + image.image.tobytes()).hexdigest()


def write_manifest(path: str | Path, samples: Sequence[Mapping[str, object]]) -> None:
    """Write one line of json for each sample, with the checksum of its file.

    Args:
        path: of the list; files are named relative to its folder.
        samples: "file", and whatever else is known: photograph, patch, block.

    Raises:
        DataError: a file is missing.
    """
    path = Path(path)
    lines = []
    for sample in samples:
        file = path.parent / str(sample["file"])
        if not file.is_file():
            raise DataError(f"the list names {file}, which is not there; write the images first")
        lines.append(json.dumps({**sample, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def check_manifest(path: str | Path) -> list[dict[str, object]]:
    """The samples of a list whose files are all there and unchanged.

    Raises:
        DataError: a file is missing or has another checksum.
    """
    path = Path(path)
    samples: list[dict[str, object]] = []
    with expecting(str(path), "pass the list that write_manifest wrote"):
        samples += [parse_json(line) for line in read_text(path).splitlines()]
        files = [below(path.parent, str(sample["file"])) for sample in samples]
    for sample, file in zip(samples, files, strict=True):
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sample.get("sha256"):
            raise DataError(f"{file} is missing or not the file of {path.name}; copy the whole set again")
    return samples


def _kept(names: set[str], share: float, seed: int, what: str) -> frozenset[str]:
    if len(names) < 2:
        raise UsageError(f"{len(names)} different {what} cannot be split; pass two or more")
    drawn = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    count = min(max(1, round(share * len(drawn))), len(drawn) - 1)
    return frozenset(drawn[:count])
