"""ImageNet and Tiny-ImageNet, whose classes are WordNet ids with lists of words."""

from pathlib import Path

from rgbdsod.datasets.zero_shot.class_folders import listed
from rgbdsod.datasets.zero_shot.known import ZeroShotSet
from rgbdsod.datasets.zero_shot.listing import Listing, all_there, images_in, lines_of, position_of, require
from rgbdsod.errors import DataError

_WORD_LISTS = ("map_clsloc.txt", "LOC_synset_mapping.txt", "words.txt")


def read_tinyimagenet(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`val/val_annotations.txt` with lines "FILE ID ...", `val/images/`; `train/ID/images/`; nothing needs moving."""
    keys = lines_of(base / "wnids.txt")
    words = first_words(base)
    names = [_word(key, words, base) for key in keys]
    places = {key: label for label, key in enumerate(keys)}
    if split == "train":
        images = [(path, label) for key, label in places.items() for path in _images(base / "train" / key / "images")]
    else:
        source = base / "val" / "val_annotations.txt"
        rows = [line.split()[:2] for line in lines_of(source)]
        images = [(_val_image(base, file, key), position_of(key, places, source)) for file, key in rows]
    files = all_there(base, [path for path, _ in images])
    return Listing([label for _, label in images], names, files, keys=keys)


def read_imagenet(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`val/ID/*.JPEG` (or `train/`), with a list of words beside; ids in order are labels in order."""
    require(base / split)
    keys = sorted(child.name for child in (base / split).iterdir() if child.is_dir())
    if not keys:
        raise DataError(f"{base / split} has no folders; move each image into a folder named after its WordNet id")
    words = first_words(base)
    return listed(base / split, keys, [_word(key, words, base) for key in keys])


def first_words(base: Path) -> dict[str, str]:
    """The first word for each WordNet id, from the first list that is there.

    Raises:
        DataError: there is none.
    """
    for name in _WORD_LISTS:
        for path in (base / name, base.parent / name):
            if path.is_file():
                return dict(_entry(line, name) for line in lines_of(path))
    raise DataError(f"{base} has no list of class words; put {' or '.join(_WORD_LISTS)} there")


def _entry(line: str, source: str) -> tuple[str, str]:
    """An id and its first word: of "n02119789 1 kit_fox", or of "n02119789 kit fox, Vulpes macrotis"."""
    key, _, rest = line.replace("\t", " ").partition(" ")
    words = rest.partition(" ")[2] if source == "map_clsloc.txt" else rest.partition(",")[0]
    return key, words.strip()


def _word(key: str, words: dict[str, str], base: Path) -> str:
    if key not in words:
        raise DataError(f'the list of class words in {base} does not know "{key}"; use the list of the same release')
    return words[key]


def _images(folder: Path) -> list[Path]:
    require(folder)
    return images_in(folder)


def _val_image(base: Path, file: str, key: str) -> Path:
    """As extracted, or in a folder of its class, into which many people move these images."""
    flat = base / "val" / "images" / file
    moved = (base / "val" / key / "images" / file, base / "val" / key / file)
    return next((path for path in moved if not flat.is_file() and path.is_file()), flat)
