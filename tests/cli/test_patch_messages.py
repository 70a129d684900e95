"""Bad input of the commands about patches: one sentence with its fix, the right exit code, and nothing lost."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from rgbdsod.attacks import Patch
from rgbdsod.errors import UsageError

SMALL = "--model m.py:build --data scenes:2@32x32#3 --device cpu --out run"
MAKE = f"patch make --steps 1 --draws 1 --modality rgb {SMALL}"
BOXES = "--annotations boxes.json --images photos"
EVALUATE = f"patch evaluate {BOXES} --steps 1 --no-aware --defense bits --device cpu --out run"


@pytest.fixture
def refused(call):
    """Runs a line that is refused before anything is done; its sentence."""

    def answer(line, code=2):
        found = call(*line.split())
        assert found.err.count("\n") == 1 and found.err.startswith("rgbdsod: ")
        assert (found.code, found.out) == (code, "")
        assert not list(Path().rglob("run.json")), "a run was begun"
        return found.err.removeprefix("rgbdsod: ").strip()

    return answer


def box(number, image, corners, **more):
    return {"id": number, "image_id": image, "category_id": 1, "bbox": corners, "area": 1.0, "iscrowd": 0} | more


def picture(number, name, height=96):
    return {"id": number, "file_name": name, "height": height, "width": 96}


@pytest.fixture
def photos(tmp_path):
    """Writes two photographs, and what a COCO file says of them."""

    def write(**changes):
        (tmp_path / "photos").mkdir(exist_ok=True)
        for name in ("a.png", "b.png"):
            values = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
            assert cv2.imwrite(str(tmp_path / "photos" / name), values)
        content = {
            "images": [picture(1, "a.png"), picture(2, "b.png")],
            "annotations": [box(1, 1, [10, 10, 40, 40]), box(2, 2, [20, 20, 50, 40])],
            "categories": [{"id": 1, "name": "disc"}],
        }  # fmt: skip
        (tmp_path / "boxes.json").write_text(json.dumps(content | changes))

    return write


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--size 120%", "--size 120%: the patch is larger than the image; pass a share, such as 5%"),
        ("--size 5", "--size 5: the patch is larger than the image; did you mean 5%?"),
        ("--size 95% --shape disc",
         "--patch-size 95%: a disc patch of 35x35 pixels is larger than the image of 32x32; pass a smaller share"),
        ("--size 0.0001", "--patch-size 0.0001 of an image of 32x32 is less than a pixel; pass more"),
        ("--where fixed --at 0,0", "--at 0,0: a patch of 7x7 pixels leaves the image of 32x32; move it inwards"),
        ("--shape 0:3",
         'no shape "0:3"; shapes are square, disc, rounded, sides such as 3:2, and a picture with alpha, FILE.png'),
        ("--where learned --universal",
         "--where learned seeks a place for each picture; a universal patch takes another policy"),
        ("--goal gohst", '--goal "gohst": expected one of hide, ghost, swap, degrade, self'),
        ("--canvas -1", "--canvas -1 is too few; pass 0 or more"),
    ],
)  # fmt: skip
def test_patches_that_cannot_be_made(refused, words, sentence):
    assert refused(f"{MAKE} {words}") == sentence


def test_shapes_that_are_none(refused, tmp_path):
    assert refused(f"{MAKE} --shape none.png", 3) == "cannot read --shape none.png: no such file or directory"
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((8, 8, 3), np.uint8))
    assert "has no alpha channel, which is the shape; save it as RGBA" in refused(f"{MAKE} --shape photo.png", 3)


def test_images_without_room_are_an_error_that_says_so(call):
    found = call(*f"{MAKE} --size 60% --where on-object".split())
    assert found.code == 3
    assert found.err == "rgbdsod: none of the 2 images has a place for the patch; try --where random\n"
    assert call(*f"{MAKE} --size 5% --restart".split()).code == 0, "the folder is there for another try"


def test_a_pixel_and_a_constant_picture_are_patches(call, tmp_path):
    Patch(torch.ones(1, 1, 1), torch.zeros(3, 1, 1)).save(tmp_path / "pixel")
    Patch(torch.ones(1, 8, 8), torch.full((3, 8, 8), 0.5)).save(tmp_path / "flat")
    for name in ("pixel", "flat"):
        found = call(*f"patch apply {name} {SMALL}-{name}".split())
        assert (found.code, found.err) == (0, "")
        assert json.loads(Path(f"run-{name}", "metrics.json").read_text())["images"] == 2
    assert call(*f"{MAKE} --size 0.1%".split()).code == 0


def test_patch_files_that_cannot_be_laid(refused, tmp_path):
    Patch(torch.ones(1, 8, 8), None, "card", (0.9, 0.0, 0.0)).save(tmp_path / "deep")
    Patch(torch.ones(1, 8, 8), torch.full((3, 8, 8), 0.5)).save(tmp_path / "flat")
    apply = f"patch apply {{}} {SMALL} {{}}"
    assert refused(apply.format("absent", ""), 3) == "cannot read absent: no such file or directory"
    assert refused(apply.format("deep", "--modality rgb")).startswith("the patch is for depth, not for rgb; leave")
    assert refused("patch apply deep --detector fcos.tiny --n-samples 1 --device cpu").startswith(
        "the patch changes depth, and a detector has colours alone"
    )
    assert refused(apply.format("flat", "--size 130%")).startswith("--size 130%: the patch is larger than the image")
    assert refused(apply.format("flat", "--where fixed --at 0.01,0.5")).startswith("--at 0.01,0.5: a patch of 7x7")
    assert refused(apply.format("flat", "--where learned")).startswith("--where learned seeks a place with gradients")
    with pytest.raises(UsageError, match="a patch whose alpha reaches one half nowhere covers nothing"):
        Patch(torch.zeros(1, 8, 8), torch.zeros(3, 8, 8))


def test_detectors_and_annotations_that_do_not_fit(refused, photos):
    photos()
    assert refused("patch evaluate --annotations none.json --images photos", 3).startswith(
        "no annotation file none.json"
    )
    assert "has no built-in weights; pass the file of its state dict" in refused(
        f"patch evaluate --detector fasterrcnn_resnet50_fpn {BOXES} --steps 1", 4
    )
    assert refused(EVALUATE + " --size 300%").startswith("--patch-size 300%: the patch is larger than the image")
    for said, sentence in (
        ({"annotations": []}, "none of the 2 images of boxes shows an object; pass other images or --class"),
        ({"annotations": [box(1, 1, [10, 10, 40, 40], iscrowd=1)]}, "none of the 2 images of boxes shows an object"),
        ({"annotations": [box(1, 1, [300, 10, 40, 40])]}, "none of the 2 images of boxes shows an object"),
        ({"annotations": [box(1, 1, [10, 10, float("nan"), 40])]}, "boxes.json cannot be read (bbox is [10, 10,"),
        ({"annotations": [box(1, 9, [10, 10, 4, 40])]}, "boxes.json: annotation 1 is of image 9, which the file does"),
        ({"images": [picture(1, "a.png", 50)], "annotations": []},
         "a.png is 96x96, annotated as 96x50; use the images that the annotations were made for"),
        ({"images": [picture(1, "c.png")], "annotations": []},
         "boxes.json names 1 images, of which 1 are not in photos (c.png)"),
    ):  # fmt: skip
        photos(**said)
        assert refused(EVALUATE, 3).startswith(sentence)


def test_degenerate_boxes_are_left_out_with_a_warning(call, photos):
    photos(annotations=[box(1, 1, [10, 10, 0, 40]), box(2, 2, [20, 20, 50, 40]), box(3, 2, [96, 20, 50, 40])])
    found = call(*EVALUATE.split())
    assert found.code == 0
    assert found.err == "warning: 2 boxes without width or height in their images are left out\n"
    assert "nothing to attack, left out of all columns: 1 (1)" in found.out


def test_masks_of_another_size_are_refused(refused, tmp_path):
    for name, side in (("images", 48), ("masks", 40)):
        (tmp_path / "real" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "real" / name / "a.png"), np.full((side, side, 3), 200, np.uint8))
    sentence = "a.png is 48x48 and its mask 40x40; make them of one size"
    assert refused("patch evaluate --localise real --defense lgs --device cpu", 3) == sentence
