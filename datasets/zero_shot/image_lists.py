"""Archives that say in a list which images belong to a split, and to which class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rgbdsod.datasets.zero_shot.known import ZeroShotSet
from rgbdsod.datasets.zero_shot.listing import Listing, all_there, images_in, lines_of, position_of, require
from rgbdsod.errors import DataError
from rgbdsod.foreign.documents import read_json
from rgbdsod.foreign.matlab import read_matlab


def read_food101(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`meta/classes.txt`, `meta/test.json` (class: images), `images/CLASS/ID.jpg`; underscores are spaces."""
    keys = lines_of(base / "meta" / "classes.txt")
    source = base / "meta" / f"{split}.json"
    require(source)
    members = read_json(source)
    places = {key: label for label, key in enumerate(keys)}
    pairs = [(name, position_of(key, places, source)) for key in sorted(members) for name in members[key]]
    files = all_there(base, [base / "images" / f"{name}.jpg" for name, _ in pairs])
    return Listing([label for _, label in pairs], [key.replace("_", " ") for key in keys], files, keys=keys)


def read_oxfordpets(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`annotations/test.txt` with lines "Name_12 CLASS SPECIES BREED"; the name before the number is the class's."""
    source = base / "annotations" / f"{split}.txt"
    rows = [line.split() for line in lines_of(source) if not line.startswith("#")]
    labels = [int(fields[1]) - 1 for fields in rows]
    names: dict[int, str] = {}
    for fields, label in zip(rows, labels, strict=True):
        name = fields[0].rpartition("_")[0].replace("_", " ").lower()
        if names.setdefault(label, name) != name:
            raise DataError(f'{source} calls class {label + 1} both "{names[label]}" and "{name}"; copy the list again')
    files = all_there(base, [base / "images" / f"{fields[0]}.jpg" for fields in rows])
    return Listing(labels, _dense(names, source), files)


def read_flowers102(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`jpg/image_00001.jpg`, the classes in `imagelabels.mat`, the splits in `setid.mat`; the data have no names."""
    require(base / "imagelabels.mat", base / "setid.mat", base / "jpg")
    classes = [int(label) for label in _matlab(base / "imagelabels.mat", "labels")]
    key = {"test": "tstid", "val": "valid", "train": "trnid"}[split]
    numbers = [int(number) for number in _matlab(base / "setid.mat", key)]
    files = all_there(base, [base / "jpg" / f"image_{number:05d}.jpg" for number in numbers])
    return Listing([classes[number - 1] - 1 for number in numbers], row.names, files)


def read_dtd(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`labels/test1.txt` with lines "CLASS/FILE.jpg", images in `images/`."""
    source = base / "labels" / f"{split}1.txt"
    names = lines_of(source)
    places = {name: label for label, name in enumerate(row.names)}
    labels = [position_of(name.partition("/")[0], places, source) for name in names]
    return Listing(labels, row.names, all_there(base, [base / "images" / name for name in names]))


def read_fgvc(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`images_variant_test.txt` with lines "NUMBER VARIANT", `variants.txt`, `images/NUMBER.jpg`."""
    keys = lines_of(base / "variants.txt")
    places = {key: label for label, key in enumerate(keys)}
    source = base / f"images_variant_{split}.txt"
    pairs = [line.split(" ", 1) for line in lines_of(source)]
    labels = [position_of(variant, places, source) for _, variant in pairs]
    files = all_there(base, [base / "images" / f"{number}.jpg" for number, _ in pairs])
    return Listing(labels, [f"Boeing {key}" if key.startswith("7") else key for key in keys], files, keys=keys)


def read_sun397(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`ClassName.txt` with lines "/a/abbey" or "/b/balcony/exterior", which are folders of images.

    The parts are the first of the ten published ones: `Training_01.txt` and `Testing_01.txt` of Partitions.zip, with
    lines "/a/abbey/NAME.jpg", beside `ClassName.txt` or in `Partitions`.
    """
    keys = [line.lstrip("/") for line in lines_of(base / "ClassName.txt")]
    files, labels = _all_of_sun397(base, keys) if split == "all" else _part_of_sun397(base, keys, split)
    return Listing(labels, [key.partition("/")[2].replace("/", " ") for key in keys], files, keys=keys)


def _all_of_sun397(base: Path, keys: list[str]) -> tuple[list[Path], list[int]]:
    files: list[Path] = []
    labels: list[int] = []
    for label, key in enumerate(keys):
        require(base / key)
        found = images_in(base / key)
        if not found:
            raise DataError(f"the class folder {base / key} has no images; extract the archive again")
        files += found
        labels += [label] * len(found)
    return files, labels


def _part_of_sun397(base: Path, keys: list[str], split: str) -> tuple[Sequence[Path], list[int]]:
    name = {"test": "Testing_01.txt", "train": "Training_01.txt"}[split]
    folder = base / "Partitions"
    source = folder / name if (folder / name).is_file() else base / name
    places = {key: label for label, key in enumerate(keys)}
    lines = [line.lstrip("/") for line in lines_of(source)]
    labels = [position_of(line.rpartition("/")[0], places, source) for line in lines]
    return all_there(base, [base / line for line in lines]), labels


def read_stanfordcars(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`devkit/cars_meta.mat` and a list of files with classes; a name ends with the year, which is left out."""
    source = base / "cars_test_annos_withlabels.mat" if split == "test" else base / "devkit" / "cars_train_annos.mat"
    require(source)
    names = [str(name)[:-5] for name in _matlab(base / "devkit" / "cars_meta.mat", "class_names")]
    records = _matlab(source, "annotations")
    if not all(isinstance(record, dict) and "class" in record for record in records):
        raise DataError(f"{source} has no classes; use cars_test_annos_withlabels.mat")
    labels = [int(record["class"]) - 1 for record in records]
    files = all_there(base, [base / f"cars_{split}" / str(record["fname"]) for record in records])
    return Listing(labels, names, files)


def _dense(names: dict[int, str], source: Path) -> list[str]:
    """Names by label, without a gap."""
    missing = set(range(max(names) + 1)) - set(names) if names else set()
    if missing:
        raise DataError(f"{source} has no image of class {min(missing) + 1}; copy the list again")
    return [names[label] for label in sorted(names)]


def _matlab(path: Path, key: str) -> list[Any]:
    """A variable of a MATLAB file, flat."""
    require(path)
    try:
        found = read_matlab(path, key)
    except ValueError as error:
        raise DataError(f"{path} is damaged or no MATLAB file; copy it again") from error
    if found is None:
        raise DataError(f'{path} holds no "{key}"; copy the original file again')
    return found
