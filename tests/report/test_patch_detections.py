"""The page of a detector under patches: pictures, boxes, and what it does where there are none."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from rgbdsod.report import report
from rgbdsod.report.patch.detections import SCORE, Seen, drawn
from rgbdsod.run import evaluate_patches


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "boxes"
    evaluate_patches(
        "fcos.tiny", n_samples=1, steps=1, defenses="lgs", aware=False, checks=False, device="cpu", out=out
    )
    return out


def test_detections_are_drawn_clean_patched_and_behind_the_defence(folder):
    page = report(folder).read_text()
    labels = re.findall(r'alt="([^"]*), image 1"', page)
    assert labels == ["clean", "under the patch", "under the patch, behind lgs", "the patch"]
    assert (folder / "images" / "1" / "adv_image.png").is_file()


def test_names_of_classes_cannot_write_html_and_old_runs_still_open(folder, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(folder, other)
    file = other / "detections" / "1.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, "names": dict.fromkeys(known["names"], "<script>alert(1)</script>")}))
    assert "alert(1)" not in report(other).read_text()
    file.write_text(json.dumps({key: value for key, value in known.items() if key != "names"}))
    assert "under the patch, behind lgs" not in report(other).read_text()


def test_boxes_are_where_they_were_found():
    blank = np.full((40, 80, 3), 255, np.uint8)
    seen = [Seen((10, 20, 50, 35), 0.9, 0), Seen((60, 20, 75, 35), SCORE - 0.1, 1)]
    found = drawn(blank, seen, {"0": "disc"}, [])
    scale = found.shape[1] / 80
    red = (found == (230, 60, 50)).all(-1)
    assert red[round(35 * scale), round(10 * scale) : round(50 * scale)].all()
    assert red[round(20 * scale) : round(35 * scale), round(50 * scale)].all()
    assert (found[:, round(55 * scale) :] == 255).all()  # below the score nothing is drawn
