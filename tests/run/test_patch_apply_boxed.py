"""A saved patch on other images before a detector, exported for others; and what the export refuses."""

import json

import cv2
import numpy as np
import pytest
import torch

from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.datasets import CocoSet, ShapeScenes, boxed_batch
from rgbdsod.errors import DataError, UsageError
from rgbdsod.models import load_detector
from rgbdsod.run import apply_patch_to_detector, export_patches


@pytest.fixture(scope="module")
def patch(tmp_path_factory):
    """A loud patch, as any attack could have saved it."""
    folder = tmp_path_factory.mktemp("patch")
    content = torch.rand((3, 12, 12), generator=torch.Generator().manual_seed(0)).round()
    Patch(torch.ones(1, 12, 12), content, facts={"patch_size": 0.05, "where": "on-object"}).save(folder)
    return folder


@pytest.fixture(scope="module")
def run(patch, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "applied"
    return apply_patch_to_detector(patch, "fcos.tiny", ShapeScenes(3, seed=7), where="random", device="cpu", out=out)


class Counting:
    """A detector that notes how many images it is shown at once."""

    def __init__(self, inner):
        self.inner, self.classes, self.sizes = inner, inner.classes, []

    def detect(self, images):
        self.sizes.append(len(images))
        return self.inner.detect(images)

    def candidates(self, images):
        return self.inner.candidates(images)

    def losses(self, images, targets):
        return self.inner.losses(images, targets)


def test_numbers_are_those_of_the_patched_images(run):
    detector = load_detector("fcos.tiny")
    images, _ = boxed_batch(list(ShapeScenes(3, seed=7)))
    for at, name in enumerate(run.outcome.piece.ids):
        saved = Patch.load(run.folder / "patches" / name)
        place = torch.tensor([saved.facts["place"]], dtype=torch.float64)
        patched = apply_patch({"image": images[at : at + 1]}, saved, place).inputs["image"]
        with torch.no_grad():
            seen = detector.detect(patched)[0]
        kept = json.loads((run.folder / "detections" / f"{name}.json").read_text())["detections"]["none"]
        assert len(kept["unaware"]) == len(seen.scores)
        assert {"clean", "grey", "noise", "crop", "shuffled", "unaware"} == set(kept)
    row = run.rows[0]
    assert [one["row"] for one in run.rows] == ["none"]
    assert row["none"]["ap50"] == row["unaware"]["ap50"]
    assert row["clean"]["ap50_self"] == 1
    assert run.record["settings"]["where"] == "random"
    assert "beyond: more than the strongest control's" in run.summary()


def test_the_detector_is_shown_whole_batches(patch):
    detector = Counting(load_detector("fcos.tiny"))
    apply_patch_to_detector(patch, detector, ShapeScenes(4, seed=7), where="random", batch=4)
    assert detector.sizes == [1] + [4] * 6, "one image to try it, then each view as a batch"


def test_what_was_applied_is_exported_as_a_coco_set(run, tmp_path):
    from pycocotools.coco import COCO

    found = export_patches(run.folder, tmp_path / "set", data=ShapeScenes(3, seed=7))
    assert found.images == 3
    objects, patches = (COCO(str(tmp_path / "set" / name)) for name in ("objects.json", "patches.json"))
    assert objects.getAnnIds()[0] == patches.getAnnIds()[0] == 1
    for entry in objects.loadImgs(objects.getImgIds()):
        picture = cv2.imread(str(tmp_path / "set" / entry["file_name"]))
        assert picture.shape[:2] == (entry["height"], entry["width"])
    truth = json.loads((tmp_path / "set" / "objects.json").read_text())
    assert all({"segmentation", "area", "iscrowd", "bbox"} <= one.keys() for one in truth["annotations"])
    one = json.loads((tmp_path / "set" / "patches.json").read_text())["annotations"][0]
    assert isinstance(one["segmentation"]["counts"], str)


def test_a_patch_that_no_detector_can_show_is_refused(patch, tmp_path):
    Patch(torch.ones(1, 4, 4), depth_mode="card", plane=(0.5, 0.0, 0.0)).save(tmp_path)
    with pytest.raises(UsageError, match="the patch changes depth, and a detector has colours alone"):
        apply_patch_to_detector(tmp_path, "fcos.tiny")
    with pytest.raises(UsageError, match="worst seeks a place with gradients"):
        apply_patch_to_detector(patch, "fcos.tiny", where="worst")
    with pytest.raises(DataError, match="no such file"):
        apply_patch_to_detector(tmp_path / "nothing", "fcos.tiny")


def coco(folder, *, size=(32, 32), bbox=(2, 2, 9, 9), crowd=0):
    """Two images with an annotation each; the second has none that counts if it is a crowd or degenerate."""
    (folder / "images").mkdir()
    for number in (1, 2):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.full((32, 32, 3), 90, np.uint8))
    rows = [((4, 4, 12, 12), 0), (bbox, crowd)]
    annotations = [
        {"id": at, "image_id": at, "category_id": 1, "bbox": list(box), "area": box[2] * box[3], "iscrowd": group}
        for at, (box, group) in enumerate(rows, 1)
    ]
    images = [{"id": at, "file_name": f"{at}.png", "height": size[0], "width": size[1]} for at in (1, 2)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "disc"}]}
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json", folder / "images"


@pytest.mark.parametrize(("bbox", "crowd"), [((2, 2, 9, 0), 0), ((2, 2, 9, 9), 1)])
def test_images_of_crowds_and_degenerate_boxes_alone_are_left_out(patch, tmp_path, bbox, crowd):
    annotations, images = coco(tmp_path, bbox=bbox, crowd=crowd)
    result = apply_patch_to_detector(
        patch, "fcos.tiny", CocoSet(annotations, images), where="random", image_size=(64, 64)
    )
    assert (result.outcome.piece.ids, result.metrics["no_object"]) == (["1"], ["2"])
    assert ("boxes without width or height in their images are left out" in "".join(result.warnings)) == (not crowd)


def test_annotations_that_do_not_fit_cost_one_sentence(patch, tmp_path):
    annotations, images = coco(tmp_path, size=(40, 32))
    with pytest.raises(DataError, match="32x32, annotated as 32x40; use the images that the annotations were made for"):
        apply_patch_to_detector(patch, "fcos.tiny", annotations=annotations, images=images)
    with pytest.raises(DataError, match="pass the folder these annotations belong to"):
        apply_patch_to_detector(patch, "fcos.tiny", annotations=annotations, images=tmp_path)
