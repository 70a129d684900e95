"""`rgbdsod patch evaluate --universal`, and pictures as patches for `patch apply`."""

import json
from pathlib import Path

import cv2
import numpy as np
from cli_schema import problems

SCHEMA = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "patch-evaluate-1.json"
EVALUATE = ["patch", "evaluate", "--n-samples", 1, "--steps", 1, "--device", "cpu", "--universal", "--where", "apde"]


def test_one_patch_for_all_is_repeated_from_its_settings(call):
    code, out, _ = call(*EVALUATE, "--out", "here", "--json")
    assert code == 0
    document = json.loads(out)
    assert problems(document, json.loads(SCHEMA.read_text())) == []
    assert document["fit"]["images"] == 64
    assert document["settings"]["size"] == "20%"
    assert Path("here/patch.png").is_file()
    again = call("patch", "evaluate", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert again.code == 0
    assert "one patch for all, fitted on 64 images" in again.out


def test_images_to_fit_on_are_of_one_patch_for_all(call):
    code, _, error = call("patch", "evaluate", "--fit-images", "there")
    assert code == 2
    assert "--fit-images is of one patch for all; pass --universal too" in error
    code, _, error = call(*EVALUATE, "--fit-images", "there")
    assert code == 2
    assert "--fit-annotations and --fit-images go together" in error


def test_a_picture_is_applied_and_what_was_assumed_is_said(call):
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert cv2.imwrite("their.png", picture)
    code, _, error = call("patch", "apply", "their.png", "--detector", "fcos.tiny", "--n-samples", 1, "--device", "cpu",
                          "--where", "apde", "--size", "20%", "--out", "laid")  # fmt: skip
    assert code == 0
    assert "their.png says nothing of how it was made" in error
    assert Path("laid/patches").is_dir()
