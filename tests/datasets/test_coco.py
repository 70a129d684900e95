"""COCO files: what is read, what is refused, patches written as masks and read again, generated shapes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rgbdsod.datasets import (
    CocoSet,
    PlacedPatch,
    ShapeScenes,
    boxed_batch,
    read_patches,
    renumbered,
    write_patches,
    write_rgb,
)
from rgbdsod.errors import DataError, UsageError


def written(folder: Path, **changes: Any) -> Path:
    """Two images with three boxes, one a group, one degenerate."""
    folder.mkdir(exist_ok=True)
    for name, size in (("a.png", (20, 30)), ("b.png", (24, 16))):
        write_rgb(folder / name, np.zeros((*size, 3), np.uint8))
    content = {
        "images": [
            {"id": 9, "file_name": "a.png", "height": 20, "width": 30},
            {"id": 4, "file_name": "b.png", "height": 24, "width": 16},
        ],
        "annotations": [
            {"id": 7, "image_id": 9, "category_id": 18, "bbox": [2, 3, 10, 12], "iscrowd": 0, "area": 99},
            {"id": 8, "image_id": 9, "category_id": 3, "bbox": [0, 0, 30, 20], "iscrowd": 1, "area": 600},
            {"id": 9, "image_id": 4, "category_id": 3, "bbox": [5, 5, 0, 6], "iscrowd": 0, "area": 0},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content | changes))
    return path


def test_reads_boxes_labels_groups_and_drops_degenerate_boxes(tmp_path: Path) -> None:
    data = CocoSet(written(tmp_path), tmp_path)
    assert data.classes == ("car", "dog")
    assert data.ids == [4, 9]
    assert data.warnings == ["1 boxes without width or height in their images are left out"]
    assert len(data[0].boxes) == 0
    image = data[1]
    assert image.boxes.tolist() == [[2, 3, 12, 15], [0, 0, 30, 20]]
    assert image.labels.tolist() == [1, 0]
    assert image.crowd.tolist() == [False, True]
    assert renumbered(image, data.classes, ["dog"]).labels.tolist() == [0]
    with pytest.raises(UsageError, match="none is common"):
        renumbered(image, data.classes, ["cow"])


def test_a_batch_has_one_size(tmp_path: Path) -> None:
    data = CocoSet(written(tmp_path), tmp_path)
    with pytest.raises(DataError, match=r"\(30x20, 16x24\) make no batch; pass size="):
        boxed_batch(list(data))
    images, objects = boxed_batch(list(data), (40, 60))
    assert images.shape == (2, 3, 40, 60)
    assert objects[1].boxes[0].tolist() == [4, 6, 24, 30]


def test_annotations_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("no json")
    small = [{"id": 9, "file_name": "a.png", "height": 20, "width": 31}]
    one = {"id": 1, "image_id": 9, "category_id": 18, "bbox": [2, 3, 10, 12]}
    cases = [
        (tmp_path / "none.json", "no annotation file"),
        (tmp_path / "text.json", "is no json file"),
        (written(tmp_path / "1", images=[{"id": 1}]), 'no list "images" with file_name, height, id, width'),
        (written(tmp_path / "2", images=small, annotations=[]), "a.png is 30x20, annotated as 31x20"),
        (written(tmp_path / "3", annotations=[one | {"image_id": 5}]), "is of image 5, which the file does not list"),
        (written(tmp_path / "4", annotations=[one | {"category_id": 5}]), "has category 5, which the file does not"),
    ]
    for path, message in cases:
        with pytest.raises(DataError, match=message):
            CocoSet(path, path.parent)
    with pytest.raises(DataError, match=r"2 are not in .* \(b.png\); pass the folder"):
        CocoSet(written(tmp_path), tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="limit of 0"):
        CocoSet(written(tmp_path), tmp_path, limit=0)


def test_patches_are_written_as_masks_that_pycocotools_reads(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    data = CocoSet(written(tmp_path), tmp_path)
    mask = np.zeros((20, 30), bool)
    mask[3:9, 5:15] = True
    mask[4, 6] = False
    facts = {"attack": "patch", "modality": "rgb", "plane": [0.5, 0, 0]}
    objects, patches = write_patches(tmp_path / "out", data, [PlacedPatch(9, mask, facts=facts)])
    coco = COCO(str(patches))
    (row,) = coco.loadAnns(coco.getAnnIds(imgIds=[9]))
    assert (row["id"], row["area"], row["bbox"], row["iscrowd"]) == (1, 59, [5, 3, 10, 6], 0)
    assert np.array_equal(coco.annToMask(row).astype(bool), mask)
    assert row["rgbdsod"]["area_fraction"] == pytest.approx(59 / 600)
    (back,) = read_patches(patches)
    assert np.array_equal(back.mask, mask)
    assert facts.items() <= back.facts.items()
    again = CocoSet(objects, tmp_path)
    assert again.classes == data.classes
    assert np.array_equal(again[1].boxes, data[1].boxes)
    assert [one["id"] for one in json.loads(objects.read_text())["annotations"]] == [1, 2]


def test_patches_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    data = CocoSet(written(tmp_path), tmp_path)
    full = np.ones((20, 30), bool)
    cases = [
        (PlacedPatch(5, full), "image 5, which the set has not"),
        (PlacedPatch(9, full[:4]), "mask is 30x4, but image 9 is 30x20"),
        (PlacedPatch(9, full & False), "is empty"),
        (PlacedPatch(9, full, "sticker"), 'no patch category "sticker"'),
    ]
    for patch, message in cases:
        with pytest.raises(UsageError, match=message):
            write_patches(tmp_path / "out", data, [patch])
    with pytest.raises(DataError, match="has no RLE mask"):
        read_patches(tmp_path / "instances.json")


def test_generated_shapes_are_the_same_each_time_and_inside_the_image(tmp_path: Path) -> None:
    scenes = ShapeScenes(20, seed=3)
    for one, other in zip(scenes, ShapeScenes(20, seed=3), strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.image.shape == (128, 128, 3)
        assert len(one.boxes) == len(one.labels) >= 1
        assert (one.boxes >= 0).all()
        assert (one.boxes <= 128).all()
        assert ((one.boxes[:, 2:] - one.boxes[:, :2]) > 8).all()
    assert len({int(label) for one in scenes for label in one.labels}) == 3
    images, objects = boxed_batch(list(scenes)[:4])
    assert images.shape == (4, 3, 128, 128)
    assert objects[0].boxes.dtype == torch.float32
    _, patches = write_patches(tmp_path, scenes, [PlacedPatch(1, np.ones((128, 128), bool))])
    assert read_patches(patches)[0].image_id == 1
    with pytest.raises(UsageError, match="count must be 1 or more"):
        ShapeScenes(0)


def test_real_annotations(shared: Path) -> None:
    folder = shared / "data" / "coco_mini"
    data = CocoSet(folder / "annotations" / "instances_val2017_mini.json", folder / "val2017")
    assert len(data) == 50
    assert sum(len(data.objects(place)) for place in range(50)) == 424
    assert len(data.classes) == 80


def test_outlines_are_resized_with_their_image() -> None:
    from pycocotools import mask as coding

    from rgbdsod.datasets.coco.outlines import box_outline, resized_outline

    assert resized_outline(None, (10, 10), (20, 20)) is None
    assert resized_outline([[1, 2, 3, 4, 5, 6]], (10, 20), (20, 20)) == [[1, 4, 3, 8, 5, 12]]
    assert box_outline(1, 2, 3, 4) == [[1, 2, 3, 2, 3, 4, 1, 4]]
    runs = {"size": [4, 4], "counts": [4, 8, 4]}  # the two middle columns, counted down the columns
    found = resized_outline(runs, (4, 4), (8, 8))
    assert isinstance(found["counts"], str)
    assert coding.decode(found)[0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert resized_outline(found, (8, 8), (4, 4)) == resized_outline(runs, (4, 4), (4, 4))
