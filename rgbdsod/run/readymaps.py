"""Saliency maps that lie in a folder as pictures."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rgbdsod.datasets import Dataset, Sample, read_map
from rgbdsod.errors import DataError
from rgbdsod.run.notes import LOGGER

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp")
_NAMED = 3


class MapFolder:
    """Maps named after the images' ids.

    Args:
        folder: where they lie.

    Raises:
        DataError: when it is no folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"--maps {folder}: no such folder")
        self.folder = folder
        self.name = folder.name
        self.modules: tuple[nn.Module, ...] = ()
        self.device = torch.device("cpu")
        self.resized = 0
        self._files: dict[str, Path] = {}

    def prepare(self, data: Dataset) -> None:
        """Find the map of every image.

        Raises:
            DataError: when some have none, or two.
        """
        stems: dict[str, list[Path]] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
                name = path.relative_to(self.folder).with_name(path.stem).as_posix()
                stems.setdefault(name, []).append(path)
        missing = [name for name in data.ids if name not in stems]
        if missing:
            named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
            raise DataError(
                f"no map for {len(missing)} of {len(data)} ids in {self.folder}: {named} "
                f"(looked for ID.png, .jpg, .bmp, .tif)"
            )
        for name in data.ids:
            if len(stems[name]) > 1:
                both = " and ".join(path.name for path in stems[name][:2])
                raise DataError(f"id {name} has two maps in {self.folder}: {both}; remove one")
        self._files = {name: stems[name][0] for name in data.ids}
        self._check_sizes(data)

    def maps(self, samples: Sequence[Sample]) -> list[NDArray[np.uint8]]:
        """Maps at the size of their images, uint8 (H, W)."""
        return [map_at(self._files[sample.id], sample.size) for sample in samples]

    def record(self) -> dict[str, Any]:
        """What run.json says about the maps."""
        digest = hashlib.sha256()
        for name, path in self._files.items():
            digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return {
            "name": self.name,
            "architecture": None,
            "source": str(self.folder),
            "sha256": digest.hexdigest(),
            "resized": self.resized,
            "note": None,
        }

    def settings(self) -> dict[str, Any]:
        """What the values depend on, beside the maps themselves."""
        return {}

    def _check_sizes(self, data: Dataset) -> None:
        """Read every map once, so that one that cannot be read is found before any work."""
        sizes = data.sizes()
        self.resized = sum(
            read_map(self._files[name]).shape != size for name, size in zip(data.ids, sizes, strict=True)
        )
        if self.resized:
            LOGGER.warning(
                "%d of %d maps have another size than their mask; they are resized (bilinear)", self.resized, len(data)
            )


def map_at(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A map as grey levels at `size` = (H, W); another size is resized (bilinear) and rounded last."""
    levels = read_map(path)
    if levels.shape == size:
        return levels
    resized = cv2.resize(levels.astype(np.float64), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(np.clip(resized, 0, 255)).astype(np.uint8)
