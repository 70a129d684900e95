"""Patches as COCO annotations: where they are, as masks, and what they are, so that others can use an attacked set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rgbdsod.datasets.coco.boxed import BoxedSet
from rgbdsod.datasets.coco.outlines import box_outline, decoded_runs
from rgbdsod.datasets.coco.read import CocoSet, read_coco
from rgbdsod.datasets.sample import Flags
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.files import expecting

CATEGORIES = ("adversarial_patch", "benign_sticker", "control")
OBJECTS, PATCHES = "objects.json", "patches.json"
_FACTS = "rgbdsod"


@dataclass(frozen=True, eq=False)
class PlacedPatch:
    """One patch in one image.

    Attributes:
        image_id: the image's number in its set.
        mask: bool (H,W), the pixels that are the patch.
        category: "adversarial_patch", "benign_sticker" or "control".
        facts: what is known of it, as json: patch id and sha256, attack, victim, goal, target, modality, depth mode and
            plane, homography, placement, seed, quantised.
    """

    image_id: int
    mask: Flags
    category: str = "adversarial_patch"
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_patches(folder: str | Path, data: BoxedSet, patches: Iterable[PlacedPatch]) -> tuple[Path, Path]:
    """Write what the images show and where their patches are, in two COCO files with the same image numbers.

    Args:
        folder: for "objects.json" and "patches.json"; made if it is not there.
        data: the images and their objects.
        patches: in these images.

    Returns:
        The two files.

    Raises:
        UsageError: a patch of an image that the set has not, of another size, empty, or of no known category.
    """
    objects = coco_document(data)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = (folder / OBJECTS, folder / PATCHES)
    for path, content in zip(paths, (objects, patch_document(objects["images"], list(patches))), strict=True):
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return paths


def coco_document(data: BoxedSet) -> dict[str, Any]:
    """The images and objects of a set as a COCO instances file; categories and numbers of COCO files are kept."""
    return _kept(data) if isinstance(data, CocoSet) else _made(data)


def _kept(data: CocoSet) -> dict[str, Any]:
    rows = [one for place in range(len(data)) for one in data.objects(place)]
    own = {key: data.content[key] for key in ("info", "licenses") if key in data.content}
    return own | {
        "images": [dict(data.record(place)) for place in range(len(data))],
        "annotations": [dict(one) | {"id": number} for number, one in enumerate(rows, 1)],
        "categories": data.content["categories"],
    }


def _made(data: BoxedSet) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for one in data:
        images.append({"id": one.id, "file_name": one.file, "height": one.size[0], "width": one.size[1]})
        for box, label, crowd in zip(one.boxes.tolist(), one.labels.tolist(), one.crowd.tolist(), strict=True):
            corner, sides = box[:2], [box[2] - box[0], box[3] - box[1]]
            row = {"id": len(annotations) + 1, "image_id": one.id, "category_id": label + 1, "iscrowd": int(crowd)}
            row |= {"bbox": [*corner, *sides], "area": sides[0] * sides[1], "segmentation": box_outline(*box)}
            annotations.append(row)
    categories = [{"id": number, "name": name} for number, name in enumerate(data.classes, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def patch_document(images: Sequence[Mapping[str, Any]], patches: Sequence[PlacedPatch]) -> dict[str, Any]:
    """Patches as a COCO instances file.

    Args:
        images: the images' entries, with "id", "height" and "width".
        patches: in these images.

    Raises:
        UsageError: see `write_patches`.
    """
    sizes = {int(one["id"]): (int(one["height"]), int(one["width"])) for one in images}
    return {
        "info": {"description": "patches placed in images; masks as compressed RLE"},
        "images": [dict(one) for one in images],
        "annotations": [_annotation(number, one, sizes) for number, one in enumerate(patches, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, 1)],
    }


def read_patches(path: str | Path) -> list[PlacedPatch]:
    """The patches of a file that `write_patches` wrote.

    Raises:
        DataError: the file is missing, or is no such file.
    """
    content = read_coco(Path(path))
    names = {int(one["id"]): str(one["name"]) for one in content["categories"]}
    sizes = {int(one["id"]): (int(one["height"]), int(one["width"])) for one in content["images"]}
    found = []
    for one in content["annotations"]:
        if not isinstance(one.get("segmentation"), dict):
            raise DataError(f"{path}: annotation {one.get('id')} has no RLE mask; pass a file of patches")
        with expecting(f"{path}: annotation {one.get('id')}", "pass a file of patches"):
            image = int(one["image_id"])
            mask = decoded_runs(one["segmentation"], sizes[image])
            found.append(PlacedPatch(image, mask, names[int(one["category_id"])], one.get(_FACTS, {})))
    return found


def _annotation(number: int, patch: PlacedPatch, sizes: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    from pycocotools import mask as coding

    _check(patch, sizes)
    code = coding.encode(np.asfortranarray(patch.mask.astype(np.uint8)))
    return {
        "id": number,  # from 1 on: COCOeval takes 0 as "not matched"
        "image_id": patch.image_id,
        "category_id": CATEGORIES.index(patch.category) + 1,
        "bbox": [float(value) for value in coding.toBbox(code)],
        "area": int(coding.area(code)),
        "segmentation": {"size": list(code["size"]), "counts": code["counts"].decode("ascii")},
        "iscrowd": 0,
        _FACTS: {"area_fraction": float(patch.mask.mean())} | dict(patch.facts),
    }


def _check(patch: PlacedPatch, sizes: Mapping[int, tuple[int, int]]) -> None:
    if patch.image_id not in sizes:
        raise UsageError(f"a patch is in image {patch.image_id}, which the set has not; pass patches of its images")
    if patch.mask.shape != sizes[patch.image_id]:
        height, width = sizes[patch.image_id]
        raise UsageError(
            f"a patch's mask is {patch.mask.shape[1]}x{patch.mask.shape[0]}, but image {patch.image_id} is "
            f"{width}x{height}; pass masks of the image's size"
        )
    if not patch.mask.any():
        raise UsageError(f"a patch's mask in image {patch.image_id} is empty; leave images without a patch out")
    if patch.category not in CATEGORIES:
        raise UsageError(f'no patch category "{patch.category}"; categories are {", ".join(CATEGORIES)}')
