"""`rgbdsod patch make | apply | export` as commands, and what an export is for others."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_schema import problems

from rgbdsod.datasets import load_dataset

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
MAKE = ["patch", "make", "--model", "m.py:build", "--data", "scenes:3@32x32#3", "--steps", "3", "--size", "4%",
        "--where", "random", "--modality", "rgb", "--out", "run"]  # fmt: skip


def check(document, name):
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    assert problems(document, schema) == []


def test_make_then_apply_then_export(call, tmp_path):
    answer = call(*MAKE, "--json")
    assert answer.code == 0, answer.err
    made = json.loads(answer.out)
    check(made, "patch-make-1")
    again = call(*MAKE)
    assert "done    already" in again.out

    first = sorted((tmp_path / "run" / "patches").iterdir())[0]
    applied = call("patch", "apply", first, "--model", "m.py:build", "--data", "scenes:2@32x32#9", "--json")
    assert applied.code == 0, applied.err
    check(json.loads(applied.out), "patch-apply-1")

    assert call("report", "run", "--out", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert all(text in page for text in ("Beyond the controls", "a grey card", "RGB with the patch", "Every image"))
    for form in ("csv", "md", "latex"):
        assert call("report", "run", "--format", form, "--out", f"t.{form}").code == 0
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4

    exported = call("patch", "export", "run", "--out", "set", "--json")
    assert exported.code == 0, exported.err
    check(json.loads(exported.out), "patch-export-1")
    _check_export(tmp_path / "set", tmp_path / "run", capture=call)

    refused = call("patch", "export", "run", "--out", "set")
    assert (refused.code, refused.err) == (2, "rgbdsod: --out set is not empty; name a new folder\n")
    config = call("patch", "make", "--config", "run/config.toml", "--out", "other", "--dry-run", "--json")
    assert json.loads(config.out)["settings"] == json.loads((tmp_path / "run" / "run.json").read_text())["settings"]


def test_the_settings_of_a_run_repeat_it(call, tmp_path):
    import torch

    from rgbdsod.attacks.patch.patch import Patch

    Patch(torch.ones(1, 4, 4), torch.rand(3, 4, 4)).save(tmp_path / "p")
    data = ["--model", "m.py:build", "--data", "scenes:4@32x32#3", "--where", "random"]
    fit = ["--universal", "--modality", "rgb", "--steps", "1", "--canvas", "6"]
    for words in (["apply", "p", *data], ["make", *data, *fit]):
        made = call("patch", *words, "--out", words[0])
        assert made.code == 0, made.err
        again = call("patch", words[0], "--config", f"{words[0]}/config.toml", "--out", words[0])
        assert (again.code, "done    already" in again.out) == (0, True), again.err


def _check_export(folder, run, capture):
    """COCO files that pycocotools opens, masks that are where the pictures changed, checksums that hold."""
    from pycocotools.coco import COCO

    patches, objects = COCO(str(folder / "patches.json")), COCO(str(folder / "objects.json"))
    assert sorted(patches.getImgIds()) == sorted(objects.getImgIds()) == [1, 2, 3]
    assert sorted(patches.getAnnIds()) == [1, 2, 3]
    saved, clean = load_dataset(folder), load_dataset("scenes:3@32x32#3")
    for number in patches.getImgIds():
        entry = patches.loadImgs(number)[0]
        annotation = patches.loadAnns(patches.getAnnIds(imgIds=number))[0]
        mask = patches.annToMask(annotation).astype(bool)
        assert annotation["area"] == mask.sum()
        assert annotation["rgbdsod"]["modality"] == "rgb"
        name = Path(entry["file_name"]).stem
        assert cv2.imread(str(folder / entry["file_name"])).shape[:2] == (entry["height"], entry["width"])
        patched, before = saved[saved.ids.index(name)], clean[clean.ids.index(name)]
        changed = (patched.rgb != before.rgb).any(-1)
        assert changed[mask].mean() > 0.9
        assert np.array_equal(patched.depth, before.depth)
        truth = objects.annToMask(objects.loadAnns(objects.getAnnIds(imgIds=number))[0]).astype(bool)
        assert np.array_equal(truth, before.mask > 128)
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        for name, digest in json.loads(line)["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_run_of_a_detector_is_exported_with_its_boxes(tmp_path):
    """What the files say is what the detector saw: the patched pictures give the detections of the run."""
    import torch
    from pycocotools.coco import COCO

    from rgbdsod.datasets import CocoSet, boxed_batch
    from rgbdsod.models import load_detector
    from rgbdsod.run import evaluate_patches, export_patches

    run = evaluate_patches("fcos.tiny", n_samples=3, steps=1, size="4%", device="cpu", out=tmp_path / "run")
    found = export_patches(tmp_path / "run", tmp_path / "set")
    placed = sorted((tmp_path / "run" / "patches").iterdir())
    assert (found.images, found.patches) == (len(placed), len(placed))
    patches, objects = (COCO(str(tmp_path / "set" / name)) for name in ("patches.json", "objects.json"))
    assert min(patches.getAnnIds()) == min(objects.getAnnIds()) == 1
    assert patches.getImgIds() == objects.getImgIds()
    assert {one["name"] for one in objects.loadCats(objects.getCatIds())} == {"disc", "square", "triangle"}
    images = CocoSet(tmp_path / "set" / "objects.json", tmp_path / "set")
    assert [image.boxes.shape[0] for image in images] == [len(objects.getAnnIds(imgIds=one)) for one in images.ids]
    detector = load_detector("fcos.tiny")
    for image in images:
        kept = json.loads((run.folder / "detections" / f"{image.id}.json").read_text())
        with torch.no_grad():
            seen = detector.detect(boxed_batch([image])[0])[0]
        assert len(seen.scores) == len(kept["detections"]["none"]["unaware"])


def test_an_attack_by_patches_is_exported_too(call, tmp_path):
    words = ["--model", "m.py:build", "--data", "scenes:2@32x32#3", "--set", "where=random", "--steps", "2"]
    assert call("attack", "--attack", "patch", "--modality", "rgb", *words, "--out", "run").code == 0
    assert call("patch", "export", "run", "--out", "set").code == 0
    known = json.loads((tmp_path / "set" / "patches.json").read_text())
    assert [one["rgbdsod"]["modality"] for one in known["annotations"]] == ["rgb", "rgb"]
    assert call("attack", *words[:4], "--out", "plain", "--steps", "1").code == 0
    assert "is a run of attack; pass one of" in call("patch", "export", "plain", "--out", "other").err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("patch make --size 500%", 2, "the patch is larger than the image"),
        ("patch make --depth-mode none --modality both", 2, "--depth-mode none leaves depth as it is"),
        ("patch make --modality thermal", 2, "--modality thermal: bbsnet has inputs rgb, depth"),
        ("patch make --set stps=3", 2, 'no setting "stps"; did you mean "steps"?'),
        ("patch apply nothing", 3, "no such file"),
        ("patch export nothing --out x", 3, "is no run folder"),
    ],
)
def test_bad_input_is_one_sentence(call, words, code, text):
    answer = call(*words.split())
    assert answer.code == code
    assert text in answer.err
    assert answer.err.count("\n") == 1


def test_a_sheet_needs_no_network(call, tmp_path):
    import torch

    from rgbdsod.attacks.patch.patch import Patch

    Patch(torch.ones(1, 4, 4), torch.rand(3, 4, 4)).save(tmp_path / "p")
    answer = call("patch", "apply", "p", "--model", "none.py:build", "--sheet", "s.pdf", "--json")
    check(json.loads(answer.out), "patch-sheet-1")
    assert (tmp_path / "s.pdf").is_file()
