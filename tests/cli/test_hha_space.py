"""`rgbdsod attack --space`: a user's network that reads HHA, on a folder that states camera and metres."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_data import copy_scenes
from cli_schema import problems
from PIL import Image

from rgbdsod.datasets import load_dataset, read_rgb

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
MODEL = """
from torch import nn
import rgbdsod


class ReadsHha(nn.Module):
    def forward(self, rgb, hha):
        return 20 * (hha[:, :1] - 0.5) + 4 * (hha[:, 2:] - 0.5) + rgb.mean(1, keepdim=True)


def build():
    return rgbdsod.wrap(ReadsHha(), inputs=("rgb", "hha"), name="reads-hha").eval()
"""
TOML = """
camera = [50, 50, {x}, {y}]
depth_unit = "mm"
depth_range = [500, 4500]
salient = "either"
"""


@pytest.fixture
def words(tmp_path):
    """The command's words up to the budget."""
    (tmp_path / "mine.py").write_text(MODEL)
    folder = tmp_path / "frames"
    copy_scenes(folder, 2)
    data = load_dataset(folder)
    for sample in data:
        millimetres = (4500 - 4000 * sample.depth).round().astype(np.uint16)
        Image.fromarray(millimetres).save(folder / "depth" / f"{sample.id}.png")
    height, width = data[0].size
    (folder / "rgbdsod.toml").write_text(TOML.format(x=width / 2, y=height / 2))
    model = f"{tmp_path / 'mine.py'}:build"
    return ["attack", "--model", model, "--data", folder, "--steps", 2, "--modality", "hha", "--out", "o"]


@pytest.mark.parametrize(
    ("space", "budget", "folder"),
    [
        ("hha", ["--eps-hha", "8/255"], "HHA"),
        ("depth", ["--eps", "2/255"], "depth"),
        ("metric", ["--eps", "0.05"], "depth"),
    ],
)
def test_the_record_the_document_and_the_report_say_which_space(document, call, words, space, budget, folder):
    found = document(*words, "--space", space, *budget)
    assert problems(found, json.loads((SCHEMAS / "attack-1.json").read_text())) == []
    assert found["space"] == space
    record = json.loads(Path("o/run.json").read_text())
    assert record["hha"]["space"] == space and record["hha"]["metric"]
    attacked = next(Path("o/adversarial", folder).iterdir())
    assert (read_rgb(attacked).dtype == np.uint8) if space == "hha" else np.asarray(Image.open(attacked)).ndim == 2
    assert call("report", "o").code == 0
    page = next(Path("o").glob("*.html")).read_text()
    assert "Space" in page and record["hha"]["words"] in page


def test_a_run_in_metres_is_repeated_from_its_config(call, words):
    assert call(*words, "--space", "metric", "--eps", "0.02,0.05").code == 0
    assert 'space = "metric"' in Path("o/config.toml").read_text()
    again = call("attack", "--config", "o/config.toml", "--out", "again")
    assert again.code == 0, again.err
    assert Path("again/metrics.json").read_text() == Path("o/metrics.json").read_text()


def test_metres_that_no_data_state_are_refused_in_one_line(call, words):
    words[words.index("--data") + 1] = "scenes:2@32x32"
    answer = call(*words, "--space", "metric", "--eps", "0.05")
    assert answer.code == 2 and "needs metres and a camera" in answer.err and answer.err.count("\n") == 1
