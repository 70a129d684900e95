"""What RGB, depth and mask files are called in the packages that are in circulation."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RoleName = Literal["rgb", "depth", "mask"]


@dataclass(frozen=True)
class Role:
    """How the files of one role are recognised; case never matters.

    Attributes:
        name: of the role.
        folders: names of its folder, the usual one first.
        suffixes: what may follow the id in a file's stem.
        prefixes: what may precede it where all roles share one folder.
        extensions: of its files, the usual ones first.
    """

    name: RoleName
    folders: tuple[str, ...]
    suffixes: tuple[str, ...]
    prefixes: tuple[str, ...]
    extensions: tuple[str, ...]

    def strip(self, stem: str) -> str:
        """The stem without the role's suffix; "rgb" alone is a name, not a suffix."""
        for suffix in self.suffixes:
            if stem.lower().endswith(suffix) and len(stem) > len(suffix):
                return stem[: -len(suffix)]
        return stem

    def strip_affix(self, stem: str) -> str | None:
        """The stem without the role's prefix or suffix; None if it has neither."""
        found = re.match(rf"(?:{'|'.join(self.prefixes)})(?:[ _-]+(?=.)|(?=\d))", stem, re.IGNORECASE)
        if found:
            return stem[found.end() :]
        stripped = self.strip(stem)
        return stripped if stripped != stem else None

    def reads(self, path: Path) -> bool:
        """Whether a file may be of this role, by its extension."""
        return path.suffix.lower() in self.extensions

    @property
    def looked_for(self) -> str:
        """The usual extensions as they stand in messages: ID.png, .bmp, .jpg."""
        return "ID" + ", ".join(self.extensions[:3])


ROLES: tuple[Role, ...] = (
    Role(
        "rgb",
        ("rgb", "img", "image", "images", "lr", "im", "test_images", "imgs", "color", "colour"),
        ("_img", "-rgb", "_rgb", "_left", "_image", "_color"),
        ("image", "img", "rgb", "color", "left"),
        (".jpg", ".png", ".bmp", ".jpeg", ".ppm", ".tif", ".tiff", ".webp"),
    ),
    Role(
        "depth",
        ("depth", "depths", "dep", "deep", "test_depth", "disparity"),
        ("_depth", "-depth", "_disp", "_dep"),
        ("depth", "dep", "disp", "disparity"),
        (".png", ".bmp", ".jpg", ".jpeg", ".pgm", ".tif", ".tiff", ".npy"),
    ),
    Role(
        "mask",
        ("gt", "groundtruth", "ground_truth", "mask", "masks", "label", "labels", "test_gt"),
        ("_gt", "-mask", "_mask", "-gt", "_label"),
        ("gt", "mask", "label", "groundtruth"),
        (".png", ".jpg", ".bmp", ".jpeg", ".pgm", ".tif", ".tiff"),
    ),
)
RGB, DEPTH, MASK = ROLES


def is_noise(path: Path) -> bool:
    """Files that systems and archivers leave behind."""
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini", "__macosx")
