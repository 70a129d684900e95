"""COCO's instances files with their folder of images."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rgbdsod.datasets.coco.boxed import BoxedImage, BoxedSet
from rgbdsod.datasets.images import read_header, read_rgb
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import read_json
from rgbdsod.foreign.files import UnfitError, below, expecting, plain, reason, shown
from rgbdsod.foreign.pictures import check_pixels

Record = Mapping[str, Any]

_LARGEST = 2 << 30
"""Bytes; the instances of COCO's training images are 450 MB."""

_SIDES, _FARTHEST = 4, 1e9

_CURE = "use the annotations as they were released"

_FIELDS = {
    "images": {"id", "file_name", "height", "width"},
    "annotations": {"image_id", "category_id", "bbox"},
    "categories": {"id", "name"},
}


class CocoSet(BoxedSet):
    """Images of a COCO instances file; boxes without width or height in their images are left out with a warning.

    Args:
        annotations: the json file.
        images: folder with the image files.
        limit: the first so many images; None: all.

    Raises:
        DataError: the file is missing, no COCO file, names an image that is not in the folder, or disagrees with
            itself.
        UsageError: a limit below 1.
    """

    def __init__(self, annotations: str | Path, images: str | Path, *, limit: int | None = None) -> None:
        self._path, self._folder = Path(annotations), Path(images)
        if limit is not None and limit < 1:
            raise UsageError(f"a limit of {limit} leaves no image; pass 1 or more")
        content = read_coco(self._path)
        self._images = sorted(content["images"], key=lambda one: int(one["id"]))[:limit]
        categories = sorted(content["categories"], key=lambda one: int(one["id"]))
        self.category_ids = [int(one["id"]) for one in categories]
        self.content = content
        """The file as it is read, for exports that keep its fields."""
        dropped = self._group(content)
        self._check_files()
        warnings = [f"{dropped} boxes without width or height in their images are left out"] if dropped else []
        ids = [int(one["id"]) for one in self._images]
        super().__init__(self._path.stem, ids, [str(one["name"]) for one in categories], warnings)

    def read(self, position: int) -> BoxedImage:
        """The image at a position.

        Raises:
            DataError: the file is damaged, or its size is not the annotated one.
        """
        record = self._images[position]
        rows = self._rows[int(record["id"])]
        image = read_rgb(self._file(record))
        _check_size(record, (image.shape[0], image.shape[1]))
        corners = np.array([one["bbox"] for one in rows], np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        return BoxedImage(
            id=int(record["id"]),
            file=str(record["file_name"]),
            image=image,
            boxes=corners,
            labels=np.array([self._place[int(one["category_id"])] for one in rows], np.int64),
            crowd=np.array([bool(one.get("iscrowd", 0)) for one in rows], bool),
        )

    def record(self, position: int) -> Record:
        """The image's own entry in the file."""
        entry: Record = self._images[position]
        return entry

    def objects(self, position: int) -> list[Record]:
        """The entries of the image's objects in the file."""
        return self._rows[int(self._images[position]["id"])]

    def _group(self, content: Record) -> int:
        """Sort annotations by image; returns how many boxes show nothing."""
        self._place = {number: place for place, number in enumerate(self.category_ids)}
        self._rows: dict[int, list[Record]] = defaultdict(list)
        sizes = {int(one["id"]): (int(one["width"]), int(one["height"])) for one in content["images"]}
        dropped = 0
        for one in content["annotations"]:
            if int(one["image_id"]) not in sizes:
                raise DataError(
                    f"{self._path.name}: annotation {shown(one.get('id'))} is of image {shown(one['image_id'])}, which "
                    f"the file does not list; {_CURE}"
                )
            if int(one["category_id"]) not in self._place:
                raise DataError(
                    f"{self._path.name}: annotation {shown(one.get('id'))} has category {shown(one['category_id'])}, "
                    "which the file does not name; add it to the categories"
                )
            if _shows(one["bbox"], sizes[int(one["image_id"])]):
                self._rows[int(one["image_id"])].append(one)
            else:
                dropped += 1
        return dropped

    def _file(self, record: Record) -> Path:
        try:
            return below(self._folder, record["file_name"])
        except UnfitError as error:
            raise DataError(f"{self._path.name} {error}") from error

    def _check_files(self) -> None:
        """Refuse annotations of other images before anything is computed."""
        missing = [one["file_name"] for one in self._images if not _is_file(self._file(one))]
        if missing:
            raise DataError(
                f"{self._path.name} names {len(self._images)} images, of which {len(missing)} are not in "
                f"{self._folder} ({plain(missing[0])}); pass the folder these annotations belong to"
            )
        for one in self._images[:1]:
            _check_size(one, read_header(self._file(one)).size)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for one
        return False


def _shows(box: list[float], size: tuple[int, int]) -> bool:
    """Whether some part of a box x, y, w, h lies in its image of (W, H)."""
    ends = zip(box[:2], box[2:], size, strict=True)
    return all(width > 0 and start < side and start + width > 0 for start, width, side in ends)


def _check_size(record: Record, found: tuple[int, int]) -> None:
    if found != (int(record["height"]), int(record["width"])):
        raise DataError(
            f"{record['file_name']} is {found[1]}x{found[0]}, annotated as {record['width']}x{record['height']}; "
            "use the images that the annotations were made for"
        )


def read_coco(path: Path) -> dict[str, Any]:
    """The content of a COCO instances file.

    Raises:
        DataError: the file is missing, no json, or has not the parts of such a file.
    """
    try:
        content = read_json(path, _LARGEST)
    except FileNotFoundError as error:
        raise DataError(f"no annotation file {path}; check the path") from error
    except UnfitError as error:
        raise DataError(f"{path} {error}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no json file ({reason(error)}); download it again") from error
    for part, fields in _FIELDS.items():
        rows = content.get(part) if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(one, dict) and fields <= one.keys() for one in rows):
            named = ", ".join(sorted(fields))
            raise DataError(f'{path} has no list "{part}" with {named} in each entry; pass a COCO instances file')
    with expecting(str(path), _CURE):
        _check_entries(content)
    return dict(content)


def _check_entries(content: Record) -> None:
    """Refuse values that mean nothing, which are a ValueError or TypeError, and numbers that are given twice."""
    for part in ("images", "categories"):
        numbers = [int(one["id"]) for one in content[part]]
        if len(set(numbers)) < len(numbers):
            twice = next(one for place, one in enumerate(numbers) if one in numbers[:place])
            raise ValueError(f"{part} have the id {shown(twice)} twice")
    for one in content["images"]:
        if not isinstance(one["file_name"], str) or not one["file_name"]:
            raise TypeError(f"file_name is {shown(one['file_name'])}")
        check_pixels(int(one["height"]), int(one["width"]))
    for one in content["annotations"]:
        box = one["bbox"]
        if not isinstance(box, list) or len(box) != _SIDES or not all(map(_is_place, box)):
            raise ValueError(f"bbox is {shown(box)}, not four numbers x, y, width, height")
        int(one["image_id"]), int(one["category_id"])


def _is_place(value: Any) -> bool:
    """Whether a value is a number of pixels, as float32 can hold it."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FARTHEST
