"""Detectors under patches, and defences on photographs of real ones."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.datasets import TEST_SEED, ShapeScenes, boxed_batch
from rgbdsod.errors import DataError, UsageError, WeightsError
from rgbdsod.metrics import average_precision, found
from rgbdsod.models import load_detector
from rgbdsod.run import evaluate_patches, localise_patches
from rgbdsod.run.patch_defense.boxed import BoxedImages, areas
from rgbdsod.run.patch_defense.detection import DetectionSubject, Wish, has_aims
from rgbdsod.types import Detections, Objects

FEW = {"n_samples": 2, "steps": 3, "size": "6%", "penalties": (0.0,)}
WEIGHTS = "data/weights/fastestdet_coco/weight_AP05_0.253207_280-epoch.pth"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "evaluate"


@pytest.fixture(scope="module")
def result(folder):
    return evaluate_patches("fcos.tiny", defenses="lgs", thresholds="paper", out=folder, **FEW)


def test_scenes_before_the_small_detector(result):
    assert [row["row"] for row in result.rows] == ["none", "oracle", "random-mask", "lgs (paper)"]
    for row in result.rows:
        assert all(0 <= row[view]["ap50"] <= 1 for view in ("clean", "grey", "none", "unaware", "aware"))
    assert result.rows[0]["clean"]["ap50"] > 0.5
    assert result.rows[1]["smiou"] == 1
    assert all(row["aware_held"] <= min(row["unaware_held"], row["alone_held"]) for row in result.samples)
    assert "AP50 of all classes against the annotations, 2 images" in result.summary()


def test_numbers_follow_from_the_saved_patches(result, folder):
    detector = load_detector("fcos.tiny")
    images, objects = boxed_batch(list(ShapeScenes(2, seed=TEST_SEED)))
    seen = []
    for row, sample in enumerate(result.outcome.piece.ids):
        patch = Patch.load(folder / "patches" / sample)
        own = apply_patch({"image": images[row : row + 1]}, patch, torch.tensor([patch.facts["place"]])).inputs["image"]
        with torch.no_grad():
            seen += detector.detect(own)
    assert average_precision(objects, seen, detector.classes).ap50 == pytest.approx(
        result.rows[0]["unaware"]["ap50"], abs=0.02
    )
    files = [json.loads((folder / "detections" / f"{name}.json").read_text()) for name in result.outcome.piece.ids]
    table = [torch.tensor(file["detections"]["none"]["unaware"]).reshape(-1, 6) for file in files]
    stored = [Detections(one[:, :4], one[:, 4], one[:, 5].long()) for one in table]
    for kept, own in zip(stored, seen, strict=True):
        assert len(kept.scores) == len(own.scores)
        assert torch.allclose(kept.scores, own.scores, atol=1e-4)
    lost = sum(row["clean_found"] - row["unaware_found"] for row in result.samples if row["row"] == "none")
    before = sum(row["clean_found"] for row in result.samples if row["row"] == "none")
    assert result.rows[0]["unaware"]["success"] == pytest.approx(max(0, lost) / before)
    assert before == sum(int(found(one, see).sum()) for one, see in zip(objects, detector.detect(images), strict=True))


def test_a_class_alone_is_attacked_and_others_are_left_out():
    data = ShapeScenes(6, seed=TEST_SEED)
    result = evaluate_patches("fcos.tiny", data, attacked="disc", steps=1, size="6%", aware=False)
    shown = [str(image.id) for image in data if 0 in image.labels]
    assert result.outcome.piece.ids == shown
    assert sorted(result.metrics["no_object"] + shown, key=int) == [str(number) for number in data.ids]
    assert "AP50 of disc" in result.summary()


@pytest.mark.parametrize("settings", [{"goal": "appear", "label": "disc"}, {"goal": "flood"},
                                      {"goal": "misclass", "label": "square"}])  # fmt: skip
def test_other_goals(settings):
    result = evaluate_patches("fcos.tiny", n_samples=1, steps=2, size="8%", aware=False, **settings)
    assert isinstance(result.rows[0]["unaware"]["success"], float)


def test_an_interrupted_run_ends_like_an_unbroken_one(tmp_path):
    words = {"n_samples": 2, "steps": 1, "size": "6%", "aware": False, "batch": 1}

    def stop(done, total):
        if done >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_patches("fcos.tiny", out=tmp_path / "run", callback=stop, **words)
    assert not (tmp_path / "run" / "metrics.json").exists()
    evaluate_patches("fcos.tiny", out=tmp_path / "run", **words)
    unbroken = evaluate_patches("fcos.tiny", **words)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == unbroken.metrics


def test_what_is_hardly_visible_counts_neither_way():
    objects = Objects(torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]), torch.tensor([0, 0]), torch.zeros(2).bool())
    images = torch.zeros(1, 3, 40, 40)
    subject = DetectionSubject(load_detector("fcos.tiny"), ["1"], images, [objects], Wish("vanish"))
    hidden = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    hidden[..., :10, :9] = True
    assert subject.truth(hidden)[0].crowd.tolist() == [True, False]
    assert int(subject.objects.sum()) == int(areas([objects], (40, 40)).sum()) == 200
    assert not has_aims(objects._replace(crowd=torch.ones(2).bool()), Wish("vanish"))
    assert has_aims(objects._replace(crowd=torch.ones(2).bool()), Wish("flood"))


def test_images_keep_their_numbers_when_some_are_left_out():
    every = BoxedImages(ShapeScenes(4), ("disc", "square", "triangle"), (64, 64))
    some, others = every.where(lambda objects: len(objects.boxes) > 1)
    assert sorted(some.ids + others, key=int) == every.ids
    images, objects = some.batch([0])
    assert images.shape == (1, 3, 64, 64)
    assert float(objects[0].boxes.max()) <= 64


def test_coco_and_a_published_detector(shared):
    data = shared / "data" / "coco_mini"
    result = evaluate_patches(
        "fastestdet", weights=shared / WEIGHTS, annotations=data / "annotations" / "instances_val2017_mini.json",
        images=data / "val2017", n_samples=1, steps=1, defenses="lgs", aware=False,
    )  # fmt: skip
    assert result.record["data"]["size"] == [352, 352]
    assert result.rows[0]["clean"]["ap50"] > 0
    assert "pass --calibration" in result.warnings[0]


WRONG = [
    ({"detector": "fastestdet"}, WeightsError, "fastestdet has no built-in weights"),
    ({"detector": "yolo"}, UsageError, 'no detector "yolo"'),
    ({"goal": "vanish-it"}, UsageError, "vanish"),
    ({"goal": "appear"}, UsageError, "pass label=NAME"),
    ({"attacked": "cat"}, UsageError, '--class "cat"'),
    ({"annotations": "a.json"}, UsageError, "--annotations needs --images"),
    ({"defenses": "cross-gate"}, UsageError, "cross-gate compares RGB with depth"),
    ({"size": "150%"}, UsageError, "150%"),
]


@pytest.mark.parametrize(("settings", "kind", "text"), WRONG)
def test_wrong_settings_cost_one_sentence(settings, kind, text):
    with pytest.raises(kind, match=r".") as caught:
        evaluate_patches(**{"steps": 1, "n_samples": 1, **settings})
    assert text in str(caught.value)


def test_real_patches_in_photographs(shared, tmp_path):
    found_ = localise_patches(shared / "data" / "patched_images", defenses="lgs,jedi", out=tmp_path / "run")
    rows = {row["row"]: row for row in found_.rows}
    lgs, jedi = rows["lgs (paper)"], rows["jedi (paper)"]
    assert (lgs["touched"], round(lgs["nmiou"], 2), round(lgs["smiou"], 2)) == (8, 0.41, 0.35)
    assert lgs["recall"] > 0.9
    assert (jedi["touched"], round(jedi["nmiou"], 2)) == (6, 0.43)
    assert found_.warnings == ["8 photographs say little of others"]
    assert "8 of 8" in found_.summary()


@pytest.fixture
def photographs(tmp_path):
    """Two flat images with a square of noise, masks, and clean ones."""
    random = np.random.default_rng(0)
    for name in ("images", "masks", "clean"):
        (tmp_path / name).mkdir()
    for number in range(2):
        smooth = np.full((64, 64, 3), 90, np.uint8)
        Image.fromarray(smooth).save(tmp_path / "clean" / f"{number}.png")
        smooth[20:44, 10:34] = random.integers(0, 256, (24, 24, 3))
        Image.fromarray(smooth).save(tmp_path / "images" / f"{number}.png")
        mask = np.zeros((64, 64), np.uint8)
        mask[20:44, 10:34] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def test_thresholds_of_a_folder_of_clean_images(photographs):
    result = localise_patches(photographs, defenses="lgs", calibration=photographs / "clean")
    assert [row["row"] for row in result.rows] == ["lgs", "lgs (paper)"]
    assert result.rows[0]["recall"] > 0.9
    with pytest.raises(UsageError, match="pass --calibration FOLDER"):
        localise_patches(photographs, thresholds="calibrated")
    with pytest.raises(UsageError, match="median looks for no patch"):
        localise_patches(photographs, defenses="median")


def test_masks_must_fit(photographs):
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(photographs / "masks" / "1.png")
    with pytest.raises(DataError, match=r"1\.png is 64x64 and its mask 5x5"):
        localise_patches(photographs)
    (photographs / "masks" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 images in .* have no mask"):
        localise_patches(photographs)
    with pytest.raises(DataError, match="no images in"):
        localise_patches(photographs / "nowhere")
