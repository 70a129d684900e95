"""`load_image_set`: one call for generated glyphs, the sixteen sets, class folders and arrays."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rgbdsod.datasets.zero_shot.arrays import read_cifar, read_npz, read_pcam, read_stl10
from rgbdsod.datasets.zero_shot.class_folders import (
    read_caltech101,
    read_caltech256,
    read_class_folders,
    read_eurosat,
    split_folder,
)
from rgbdsod.datasets.zero_shot.files import FileSet
from rgbdsod.datasets.zero_shot.glyph_sets import glyph_set
from rgbdsod.datasets.zero_shot.image_lists import (
    read_dtd,
    read_fgvc,
    read_flowers102,
    read_food101,
    read_oxfordpets,
    read_stanfordcars,
    read_sun397,
)
from rgbdsod.datasets.zero_shot.known import ZERO_SHOT_SETS, Prompts, ZeroShotSet, check_prompts
from rgbdsod.datasets.zero_shot.labelled import ArraySet, ImageSet
from rgbdsod.datasets.zero_shot.listing import Listing
from rgbdsod.datasets.zero_shot.prompts import GENERIC
from rgbdsod.datasets.zero_shot.wordnet import read_imagenet, read_tinyimagenet
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.files import expecting

Reader = Callable[[Path, ZeroShotSet, str], Listing]

READERS: Mapping[str, Reader] = {
    "caltech101": read_caltech101,
    "caltech256": read_caltech256,
    "cifar10": read_cifar,
    "cifar100": read_cifar,
    "dtd": read_dtd,
    "eurosat": read_eurosat,
    "fgvc-aircraft": read_fgvc,
    "flowers102": read_flowers102,
    "food101": read_food101,
    "imagenet": read_imagenet,
    "oxfordpets": read_oxfordpets,
    "pcam": read_pcam,
    "stanfordcars": read_stanfordcars,
    "stl10": read_stl10,
    "sun397": read_sun397,
    "tinyimagenet": read_tinyimagenet,
}
"""Who reads the original archives."""

_GLYPHS = "glyphs:"


def load_image_set(
    data: str | Path,
    root: str | Path | None = None,
    *,
    split: str | None = None,
    prompts: Prompts = "fixed",
    template: str | None = None,
) -> ImageSet:
    """Open a set of labelled images; nothing is fetched, moved or changed.

    Args:
        data: "glyphs:TASK", a name of `ZERO_SHOT_SETS`, a folder of class folders (or of "train" and "test" with class
            folders), or an .npz with `x_test`, `y_test` and `class_names` (or the folder that holds just one).
        root: for a name: the folder that holds the extracted archives, or the archive's own folder.
        split: "test", "train", ...; None: the one that is measured.
        prompts: "fixed", or "as-released" for the slips of the released lists.
        template: another prompt than the set's, with {} for the class name.

    Raises:
        UsageError: a name, split or template means nothing.
        DataError: files are missing or damaged, a class folder is empty, or classes and labels disagree.

    Example:
        >>> from rgbdsod.datasets import load_image_set
        >>> load_image_set("glyphs:textures").class_names
        ['plain', 'striped', 'dotted', 'checkered']
    """
    check_prompts(prompts)
    name = str(data)
    if name.startswith(_GLYPHS):
        if split not in (None, "test"):
            raise UsageError(f'{name} has no split "{split}", only test; glyph_set(TASK, seed=...) draws other images')
        found: ImageSet = glyph_set(name.removeprefix(_GLYPHS))
    elif name in ZERO_SHOT_SETS and (root is not None or not Path(name).exists()):
        found = _known(ZERO_SHOT_SETS[name], root, split, prompts)
    else:
        found = _own(Path(name), split)
    return found if template is None else found.with_template(template)


def _known(row: ZeroShotSet, root: str | Path | None, split: str | None, prompts: Prompts) -> ImageSet:
    split = split or row.split
    if split not in row.splits:
        raise UsageError(f'{row.name} has no split "{split}"; it has {", ".join(row.splits)}')
    if root is None:
        raise UsageError(f"{row.name} is not shipped; pass the folder that holds {row.archive}, extracted")
    base = find_base(row, Path(root))
    with expecting(f"{row.name} in {base}", f"extract {row.archive} again"):
        listing = READERS[row.name](base, row, split)
        names = _names(row, listing, prompts)
        found = _as_set(row.name, listing, names, split, row.template, refine=row.refine)
    found.warnings += _differences(row, found)
    return found


def find_base(row: ZeroShotSet, root: Path) -> Path:
    """The folder of a set's extracted archive.

    Args:
        row: of the set.
        root: that folder, or one that holds it.

    Raises:
        DataError: it is not there.
    """
    places = [root, *(root / base for base in row.bases), *(root / row.name / base for base in row.bases)]
    for place in [*places, root / row.name]:
        if place.is_dir() and any(place.glob(row.marker)):
            return place
    raise DataError(
        f"no {row.name} in {root}: expected {row.bases[0]}/{row.marker}; extract {row.archive} there, as it comes"
    )


def _names(row: ZeroShotSet, listing: Listing, prompts: Prompts) -> list[str]:
    """The class names in the variant that is asked for."""
    if row.shipped_names():
        shipped = row.shipped_names(prompts)
        if len(listing.names) != len(shipped):
            raise DataError(f"{row.name} names {len(listing.names)} classes, but its list has {len(shipped)}")
        return list(shipped)
    if prompts == "as-released" or not row.fixed:
        return list(listing.names)
    return [row.fixed.get(key, name) for key, name in zip(listing.keys, listing.names, strict=True)]


def _differences(row: ZeroShotSet, found: ImageSet) -> list[str]:
    """What a copy has less or more than a complete one."""
    expected = row.splits[found.split]
    if (found.classes, len(found)) == (row.classes, expected):
        return []
    return [
        f"{row.name} ({found.split}) has {found.classes} classes and {len(found)} images here, a complete copy "
        f"{row.classes} and {expected}; numbers do not compare with published ones"
    ]


def _own(path: Path, split: str | None) -> ImageSet:
    """A user's folder or array file."""
    if not path.exists():
        raise UsageError(
            f'no image set "{path}"; pass a folder of class folders, an .npz, glyphs:TASK, or one of '
            f"{', '.join(ZERO_SHOT_SETS.names())} with the folder of its archive"
        )
    arrays = [path] if path.is_file() else sorted(path.glob("*.npz"))
    if len(arrays) == 1 and arrays[0].suffix == ".npz":
        listing, split = read_npz(arrays[0], split or "test"), split or "test"
        with expecting(str(arrays[0]), "copy it again"):
            return _as_set(arrays[0].stem, listing, listing.names, split, GENERIC, refine=True)
    folder, split = split_folder(path, split)
    listing = read_class_folders(folder)
    return _as_set(path.resolve().name, listing, listing.names, split, GENERIC, refine=True)


def _as_set(name: str, listing: Listing, names: Sequence[str], split: str, template: str, *, refine: bool) -> ImageSet:
    if listing.images is None:
        return FileSet(name, listing.files, listing.labels, names, split=split, template=template, refine=refine)
    return ArraySet(name, listing.images, listing.labels, names, split=split, template=template, refine=refine)
