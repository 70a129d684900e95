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
