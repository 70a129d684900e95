"""Labelled images in files."""

from collections.abc import Sequence
from hashlib import sha256
from os.path import commonpath
from pathlib import Path

from rgbdsod.datasets.images import read_header, read_rgb
from rgbdsod.datasets.sample import Picture
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.datasets.zero_shot.prompts import GENERIC


class FileSet(ImageSet):
    """Labelled images, one file each.

    Args:
        name: how tables call the set.
        files: of the images; their paths below the folder they share are the ids.
        labels: see `ImageSet`; likewise the others.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        labels: Sequence[int],
        class_names: Sequence[str],
        *,
        split: str,
        template: str = GENERIC,
        refine: bool = True,
    ) -> None:
        self.files = list(files)
        shared = Path(commonpath([file.parent for file in self.files])) if self.files else Path()
        ids = [file.relative_to(shared).as_posix() for file in self.files]
        super().__init__(
            name, split=split, ids=ids, labels=labels, class_names=class_names, template=template, refine=refine
        )

    def read(self, position: int) -> Picture:
        """The pixels of an image; grey and palette files are converted, an alpha channel is dropped.

        Raises:
            DataError: the file is missing or damaged.
        """
        return read_rgb(self.files[position])

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) from the file's header."""
        return read_header(self.files[position]).size

    def digest(self, position: int) -> str:
        """SHA-256 of the file."""
        return sha256(self.files[position].read_bytes()).hexdigest()
