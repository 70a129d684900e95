"""What a reader finds on disk, before it becomes a set of labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsorted

from rgbdsod.datasets.sample import Picture
from rgbdsod.errors import DataError
from rgbdsod.foreign.files import expecting, plain, read_text, shown

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Listing:
    """Images with labels and class names.

    Attributes:
        labels: of the images, from 0 on.
        names: of the classes, as the data or the row say.
        files: of the images; empty where `images` holds them.
        images: (N,H,W,3) uint8.
        keys: what tells the classes apart on disk, such as WordNet ids; by default the names.
    """

    labels: Sequence[int]
    names: Sequence[str]
    files: Sequence[Path] = ()
    images: Picture | None = None
    keys: Sequence[str] = field(default=())


def lines_of(path: Path) -> list[str]:
    """Lines of a text file that are not empty.

    Raises:
        DataError: the file is missing.
    """
    require(path)
    with expecting(str(path), "extract the original archive there again"):
        text = read_text(path, errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def require(*paths: Path) -> None:
    """Refuse a data set of which a file is missing.

    Raises:
        DataError: names what is missing.
    """
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        raise DataError(f"{paths[0].parent} lacks {', '.join(missing)}; extract the original archive there again")


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, in natural order."""
    return [path for path in natsorted(folder.iterdir(), key=lambda path: path.name) if is_image(path)]


def is_image(path: Path) -> bool:
    """Whether a path is an image file, by its suffix; hidden files are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def all_there(base: Path, files: Sequence[Path]) -> Sequence[Path]:
    """The files, all of which exist.

    Raises:
        DataError: some do not.
    """
    away = [path for path in files if ".." in path.parts or not path.is_relative_to(base)]
    if away:
        raise DataError(f"a list in {base} names {shown(str(away[0]))}, which is elsewhere; extract it again")
    missing = [str(path.relative_to(base)) for path in files if not _is_file(path)]
    if missing:
        named = ", ".join(map(plain, missing[:_SHOWN]))
        named += f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise DataError(f"{base} lacks {len(missing)} of {len(files)} listed images: {named}; extract it again")
    return files


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for one
        return False


def position_of(key: str, places: dict[str, int], source: Path) -> int:
    """The label of a class.

    Raises:
        DataError: the class list does not know it.
    """
    if key not in places:
        raise DataError(f"{source} names the class {shown(key)}, which the list of {len(places)} classes does not have")
    return places[key]
