"""What every export writes: a patch's files, checksums, a line for each image."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.attacks.patch.file import FACTS, PICTURE, TENSORS
from rgbdsod.run.store import DiskStore

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        folder: where.
        images: how many attacked images.
        patches: how many different patches.
        files: in all.
    """

    folder: Path
    images: int
    patches: int
    files: int

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch export --json` prints."""
        return {
            "schema": "rgbdsod.patch-export/1",
            "out": str(self.folder),
            "images": self.images,
            "patches": self.patches,
            "files": self.files,
        }


def copy_patch(source: DiskStore, target: DiskStore, folder: str) -> dict[str, str]:
    """A patch's files, copied; their names there and their SHA-256.

    Args:
        source: the run's folder.
        target: the new one.
        folder: where the patch lies in the run; "" for the run's only one.
    """
    found = {}
    for name in (PICTURE, TENSORS, FACTS):
        content = source.read(f"{folder}/{name}".lstrip("/"))
        there = f"{folder or 'patches'}/{name}"
        target.write(there, content)
        found[there] = digest(content)
    return found


def manifest(target: DiskStore, lines: Sequence[Mapping[str, Any]]) -> None:
    """A line for each image."""
    target.write(MANIFEST, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())


def digest(content: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()
