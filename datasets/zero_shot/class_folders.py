"""Sets with a folder for each class."""

from collections.abc import Sequence
from pathlib import Path

from natsort import natsorted

from rgbdsod.datasets.zero_shot.known import ZeroShotSet
from rgbdsod.datasets.zero_shot.listing import Listing, images_in, is_image
from rgbdsod.errors import DataError

_SPLITS = {"test": ("test", "val", "valid", "validation"), "val": ("val", "valid", "validation"), "train": ("train",)}


def read_class_folders(path: Path) -> Listing:
    """Every folder in `path` is a class, named as the class, and holds its images.

    Raises:
        DataError: no folders, a folder without images, or images beside the folders.
    """
    folders = _folders(path)
    loose = [child.name for child in path.iterdir() if is_image(child)]
    if loose:
        raise DataError(f"{path} has images beside its class folders ({loose[0]}); put every image in a class folder")
    return listed(path, [folder.name for folder in folders])


def split_folder(path: Path, split: str | None) -> tuple[Path, str]:
    """Where the class folders of a split are, and its name.

    Args:
        path: of the set; holds class folders, or "train", "test", "val" which hold them.
        split: None is "test" where there is one.

    Raises:
        DataError: there is no such split.
    """
    if not path.is_dir():
        raise DataError(f"there is no folder {path}; pass a folder of class folders")
    here = {child.name: child for child in path.iterdir() if child.is_dir()}
    divided = any(name in here for name in ("train", "test"))
    wanted = split or ("test" if divided else "all")
    for name in _SPLITS.get(wanted, (wanted,)):
        if divided and name in here:
            return here[name], name
    if divided or wanted != "all":
        raise DataError(f'{path} has no split "{wanted}"; it has {", ".join(sorted(here)) or "no folders"}')
    return path, wanted


def read_eurosat(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """Ten folders, whose names are not what the prompts say."""
    return listed(base, row.folders, row.names)


def read_caltech101(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """A folder for each class, and one of backgrounds, which is left out."""
    return listed(base, [folder.name for folder in _folders(base) if folder.name != "BACKGROUND_Google"])


def read_caltech256(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """Folders such as `251.airplanes-101`: number and suffix are no part of the name."""
    folders = [folder.name for folder in _folders(base) if folder.name[:3].isdigit()]
    return listed(base, folders, [name[4:].removesuffix("-101") for name in folders])


def listed(base: Path, folders: Sequence[str], names: Sequence[str] | None = None) -> Listing:
    """The images of class folders.

    Args:
        base: where the folders are.
        folders: in label order.
        names: of the classes; None: the folders'.

    Raises:
        DataError: a folder is missing or has no images.
    """
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        if not (base / folder).is_dir():
            raise DataError(f"{base} lacks the class folder {folder}; extract the archive again")
        found = images_in(base / folder)
        if not found:
            raise DataError(f"the class folder {base / folder} has no images; remove it, or put the images there")
        files += found
        labels += [label] * len(found)
    return Listing(labels, list(folders if names is None else names), files, keys=list(folders))


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}; pass a folder of class folders")
    found = natsorted(
        (child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__"))),
        key=lambda child: child.name,
    )
    if not found:
        raise DataError(f"{path} has no class folders; expected one folder for each class, named as the class")
    return found
