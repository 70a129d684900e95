"""COCO's instances files with their folder of images."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rgbdsod.datasets.coco.boxed import BoxedImage, BoxedSet
from rgbdsod.datasets.images import read_header, read_rgb
from rgbdsod.errors import DataError, UsageError

Record = Mapping[str, Any]

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
        image = read_rgb(self._folder / record["file_name"])
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
                    f"{self._path.name}: annotation {one.get('id')} is of image {one['image_id']}, which the file does "
                    "not list; use the annotations as they were released"
                )
            if int(one["category_id"]) not in self._place:
                raise DataError(
                    f"{self._path.name}: annotation {one.get('id')} has category {one['category_id']}, which the file "
                    "does not name; add it to the categories"
                )
            if _shows(one["bbox"], sizes[int(one["image_id"])]):
                self._rows[int(one["image_id"])].append(one)
            else:
                dropped += 1
        return dropped

    def _check_files(self) -> None:
        """Refuse annotations of other images before anything is computed."""
        missing = [one["file_name"] for one in self._images if not (self._folder / one["file_name"]).is_file()]
        if missing:
            raise DataError(
                f"{self._path.name} names {len(self._images)} images, of which {len(missing)} are not in "
                f"{self._folder} ({missing[0]}); pass the folder these annotations belong to"
            )
        for one in self._images[:1]:
            _check_size(one, read_header(self._folder / one["file_name"]).size)


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"no annotation file {path}; check the path") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is no json file ({error}); download it again") from error
    for part, fields in _FIELDS.items():
        rows = content.get(part) if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(one, dict) and fields <= one.keys() for one in rows):
            named = ", ".join(sorted(fields))
            raise DataError(f'{path} has no list "{part}" with {named} in each entry; pass a COCO instances file')
    return dict(content)
