"""A detector under patches as a COCO data set: pictures patched again from their originals, boxes, masks of patches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.attacks.patch.patch import Patch, apply_patch
from rgbdsod.datasets import TEST_SEED, BoxedImage, BoxedSet, CocoSet, ShapeScenes, boxed_batch, objects_of
from rgbdsod.datasets.coco.outlines import box_outline, resized_outline
from rgbdsod.datasets.coco.patches import OBJECTS, PATCHES, PlacedPatch, coco_document, patch_document
from rgbdsod.errors import DataError
from rgbdsod.run.folder import to_json
from rgbdsod.run.patch.catalogue import cover_of, patch_facts
from rgbdsod.run.patch.exported import Exported, copy_patch, digest, manifest
from rgbdsod.run.pictures import encode, to_levels
from rgbdsod.run.store import DiskStore

Record = Mapping[str, Any]

_FOLDER = "images"


def export_boxed(
    source: DiskStore, target: DiskStore, record: Record, metrics: Record, data: BoxedSet | None
) -> Exported:
    """Write the patched pictures of a run of `rgbdsod patch evaluate`, what they show, and where their patches are.

    Args:
        source: the run's folder.
        target: the new one.
        record: content of its run.json.
        metrics: content of its metrics.json.
        data: the original images; None: those that the run names.

    Raises:
        DataError: the images are not those of the run.
    """
    images, size = opened(record) if data is None else data, record["data"].get("size")
    sides = None if size is None else (int(size[0]), int(size[1]))
    names = sorted({name.split("/")[1] for name in source.names("patches")}, key=int)
    entries, patches, lines = [], [], []
    for name in names:
        image = _of(images, name)
        pixels, cover = _patched(source, name, image, sides)
        file = f"{_FOLDER}/{Path(image.file).stem}.png"
        entries.append({"id": image.id, "file_name": file, "height": cover.shape[0], "width": cover.shape[1]})
        target.write(file, pixels)
        row = {"id": name, "place": None}
        facts = patch_facts(source, row, metrics, record)
        patches.append(PlacedPatch(image.id, cover, facts=facts | {"target": metrics.get("class")}))
        files = {file: digest(pixels)} | copy_patch(source, target, f"patches/{name}")
        lines.append({"id": name, "image_id": image.id, "files": files})
    target.write(OBJECTS, to_json(_objects(images, entries, sides)))
    target.write(PATCHES, to_json(patch_document(entries, patches)))
    manifest(target, lines)
    return Exported(target.path, len(entries), len(names), len(target.names("")))


def opened(record: Record) -> BoxedSet:
    """The images that a run names.

    Raises:
        DataError: it names none that can be opened again.
    """
    settings = record["settings"]
    if "annotations" in settings:
        limit = settings.get("n_samples")
        return CocoSet(settings["annotations"], settings["images"], limit=None if limit is None else int(limit))
    name = str(record["data"]["name"])
    head, _, tail = name.partition("@")
    side, _, seed = tail.partition("#")
    if not name.startswith("shapes:") or seed != str(TEST_SEED):
        raise DataError(f"the run does not say where its images {name} are; pass them: export_patches(..., data=...)")
    return ShapeScenes(int(head.removeprefix("shapes:")), seed=int(seed), side=int(side))


def _of(images: BoxedSet, name: str) -> BoxedImage:
    if int(name) not in images.ids:
        raise DataError(f"{images.name} has no image {name}, which the run patched; pass the run's own images")
    return images[images.ids.index(int(name))]


def _patched(
    source: DiskStore, name: str, image: BoxedImage, size: tuple[int, int] | None
) -> tuple[bytes, NDArray[np.bool_]]:
    """The patched picture as PNG, and the pixels under its patches.

    Raises:
        DataError: the patch does not lie where the run says.
    """
    patch = Patch.load(source.path / "patches" / name)
    inputs: dict[str, Tensor] = {"image": boxed_batch([image], size)[0]}
    cover, kept = torch.zeros(1, 1, *inputs["image"].shape[-2:], dtype=torch.bool), cover_of(source, name)
    if kept.shape != tuple(cover.shape[-2:]):
        raise DataError(f"image {name} has another size than in the run; pass the run's own images")
    for place in patch.facts["places"]:
        placed = apply_patch(inputs, patch, torch.tensor([place], dtype=torch.float64))
        inputs, cover = placed.inputs, cover | placed.mask
    if not np.array_equal(cover[0, 0].numpy(), kept):
        raise DataError(f"the patch of image {name} does not lie where its mask says; repeat the run with --restart")
    pixels = inputs["image"][0].permute(1, 2, 0).numpy()
    return encode(to_levels(pixels, 255)), kept


def _objects(images: BoxedSet, entries: Sequence[Record], size: tuple[int, int] | None) -> dict[str, Any]:
    """What the exported images show, as a COCO document; outlines are resized with their images."""
    known = {one["id"] for one in entries}
    document = coco_document(images)
    rows = [one for one in document["annotations"] if one["image_id"] in known]
    if size is not None:
        rows = [row for entry in entries for row in _resized(images, int(entry["id"]), document, size)]
    annotations = [{**row, "id": number} for number, row in enumerate(rows, 1)]
    return {**document, "images": list(entries), "annotations": annotations}


def _resized(images: BoxedSet, number: int, document: Record, size: tuple[int, int]) -> list[dict[str, Any]]:
    numbers = sorted(int(one["id"]) for one in document["categories"])
    position = images.ids.index(number)
    image = images[position]
    boxes, labels, crowd = objects_of(image, size)
    outlines: list[Any] = [None] * len(labels)
    if isinstance(images, CocoSet):
        outlines = [one.get("segmentation") for one in images.objects(position)]
    return [
        {
            "image_id": number, "category_id": numbers[label], "iscrowd": int(group),
            "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
            "segmentation": resized_outline(outline, image.size, size) or box_outline(x0, y0, x1, y1),
        }
        for (x0, y0, x1, y1), label, group, outline in zip(
            boxes.tolist(), labels.tolist(), crowd.tolist(), outlines, strict=True
        )
    ]  # fmt: skip
