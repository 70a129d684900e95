"""Photographs with patches in them, and masks that say where."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.datasets import read_map, read_rgb
from rgbdsod.datasets.images import read_header
from rgbdsod.errors import DataError

Size = tuple[int, int]

_KINDS = (".jpg", ".jpeg", ".png", ".bmp")
_FOLDERS = ("images", "masks")


class Photographs:
    """A folder with images/ and, by the same names, masks/ that are bright where a patch is.

    Args:
        folder: that has both; or a folder of images, where no masks are needed.
        masks: whether there have to be masks.
        limit: the first so many; None: all.
        size: (H, W) that images without masks are brought to; None: as they are.

    Raises:
        DataError: no images, or images without a mask or with one of another size.
    """

    def __init__(
        self, folder: str | Path, *, masks: bool = True, limit: int | None = None, size: Size | None = None
    ) -> None:
        self.folder, self._size = Path(folder), size
        self._images = _files(self.folder / "images" if (self.folder / "images").is_dir() else self.folder)[:limit]
        self._masks = {path.stem: path for path in _files(self.folder / "masks")} if masks else {}
        if not self._images:
            raise DataError(f"no images in {folder}; pass a folder with {' and '.join(_FOLDERS)}")
        if masks:
            self._check()

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.resolve().name

    @cached_property
    def ids(self) -> list[str]:
        """Names of the files."""
        return [path.stem for path in self._images]

    def __len__(self) -> int:
        return len(self._images)

    def sizes(self) -> Sequence[Size]:
        """(H, W) of each image."""
        if self._size is not None:
            return [self._size] * len(self)
        return [read_header(path).size for path in self._images]

    def pictures(self, part: Sequence[int]) -> Tensor:
        """Images (B,3,H,W) of one size in [0, 1]."""
        return torch.stack([torch.from_numpy(self._picture(at)).permute(2, 0, 1) for at in part]) / 255.0

    def masks(self, part: Sequence[int]) -> Tensor:
        """Where the patches are, bool (B,1,H,W)."""
        found = [torch.from_numpy(read_map(self._masks[self.ids[at]])) for at in part]
        return torch.stack(found)[:, None] > 127

    def record(self) -> dict[str, Any]:
        """What run.json says of the files."""
        digest = hashlib.sha256()
        for path in (*self._images, *self._masks.values()):
            digest.update(path.name.encode() + path.read_bytes())
        return {"name": self.name, "images": len(self), "fingerprint": digest.hexdigest(), "warnings": []}

    def _picture(self, place: int) -> NDArray[np.uint8]:
        found = read_rgb(self._images[place])
        if self._size is None:
            return found
        return cv2.resize(found, self._size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)

    def _check(self) -> None:
        without = [name for name in self.ids if name not in self._masks]
        if without:
            raise DataError(
                f"{len(without)} of {len(self)} images in {self.folder} have no mask in masks/ ({without[0]}); "
                "add masks of the same names, bright where the patch is"
            )
        for path in self._images:
            one, other = (read_header(file).size for file in (path, self._masks[path.stem]))
            if one != other:
                raise DataError(
                    f"{path.name} is {one[1]}x{one[0]} and its mask {other[1]}x{other[0]}; make them of one size"
                )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in _KINDS) if folder.is_dir() else []
