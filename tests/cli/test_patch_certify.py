"""`rgbdsod patch certify` as a command."""

import json
from pathlib import Path

import pytest
from cli_schema import problems

SCHEMA = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "patch-certify-1.json"
MAPS = ["--model", "m.py:build", "--data", "scenes:2@32x32#3", "--size", "3x3"]
BOXES = ["--detector", "own.py:build", "--n-samples", "2", "--lines", "2", "--size", "1%"]
OWN = """
import torch
from rgbdsod.models import DecodedDetector

class Cells(torch.nn.Module):
    def forward(self, images):
        red = torch.nn.functional.avg_pool2d(images[:, :1], 16)
        row, col = torch.meshgrid(*[torch.arange(side) for side in red.shape[-2:]], indexing="ij")
        corner = torch.stack([col, row], -1).reshape(-1, 2) * 16.0
        boxes = torch.cat([corner, corner + 16], 1).expand(len(images), -1, -1)
        return (red.flatten(2).transpose(1, 2) - 0.5) * torch.tensor([20.0, -20, 0]), boxes

def build():
    return DecodedDetector(Cells(), ["disc", "square", "triangle"], Cells(), name="cells")
"""


def test_maps_and_boxes_are_certified_written_and_read_again(call, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    for kind, words in (("maps", MAPS), ("boxes", BOXES)):
        made = call("patch", "certify", *words, "--out", kind, "--json")
        assert made.code == 0, made.err
        document = json.loads(made.out)
        assert problems(document, json.loads(SCHEMA.read_text())) == []
        assert (document["kind"], document["images"]) == (kind, 2)
        again = call("patch", "certify", "--config", f"{kind}/config.toml", "--out", kind)
        assert (again.code, "done    already" in again.out) == (0, True), again.err
        assert "certain for every patch of at most that size" in again.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([*MAPS, "--size", "33x3"], "33x3 pixels are larger than an image of 32x32"),
        ([*MAPS, "--aim", "alarm"], "--aim alarm: expected one of recovery, detection"),
        ([*MAPS, "--annotations", "a.json"], "--annotations is about detectors; pass --detector too"),
        ([*BOXES, "--modality", "rgb"], "--modality is about maps"),
        (["--detector", "fastestdet"], "fastestdet has no built-in weights"),
        (["--detector", "nothing.py:build"], "no file nothing.py; --detector takes a name of `rgbdsod list detectors`"),
        (["--lines", "0"], "--lines 0: pass 1 or more"),
        (["--pruning", "2"], "--pruning 2: pass a share above 0, at most 1"),
    ],
)
def test_bad_input_is_one_sentence(call, words, text):
    answer = call("patch", "certify", *words)
    assert (answer.code != 0, text in answer.err, answer.err.count("\n")) == (True, True, 1), answer.err
