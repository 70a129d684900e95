"""A run that `rgbdsod.attack` really made is read, and the made-up runs of the other tests have its schema."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from report_runs import write_attack, write_evaluation
from torch import Tensor, nn

import rgbdsod
from rgbdsod.report.reading import Run, read_run


class Brightness(nn.Module):
    """Near and bright is salient."""

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        return 10 * (depth + rgb.mean(1, keepdim=True) - 1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An attack and an evaluation on two generated scenes."""
    folder = tmp_path_factory.mktemp("real")
    model = rgbdsod.wrap(Brightness(), inputs=("rgb", "depth"), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    data = rgbdsod.load_dataset("scenes:2@48x64")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rgbdsod.attack(model, data, attack="pgd", eps={"depth": 8 / 255}, steps=3, out=folder / "attack")
        rgbdsod.evaluate(model, data, out=folder / "evaluate")
    finally:
        torch.set_num_threads(threads)
    return folder / "attack", folder / "evaluate"


def test_report_of_a_real_attack(runs: tuple[Path, Path]) -> None:
    text = rgbdsod.report(runs[0]).read_text(encoding="utf-8")
    metrics = json.loads((runs[0] / "metrics.json").read_text())
    sm = metrics["clean"]["benchmark"]["values"]["sm"], metrics["results"][0]["attacked"]["benchmark"]["values"]["sm"]
    assert re.search(rf"{sm[0]:.3f}</span> → <span class=\"attacked\">{sm[1]:.3f}", text)
    assert len(re.findall(r'class="panel"', text)) == 2 * 7
    assert "exceed the budget" not in text


def test_difference_of_real_files_is_within_the_budget(runs: tuple[Path, Path]) -> None:
    """At gain 16 a budget of 8/255 just fits between black and white."""
    pictures = read_run(runs[0]).pictures("scene-0-000000")
    clean, after = (cv2.imread(str(pictures[name]), cv2.IMREAD_UNCHANGED) for name in ("depth", "adv_depth"))
    top = np.iinfo(clean.dtype).max
    assert 0 < np.abs(after / top - clean / top).max() <= 8 / 255 + 1e-9


def test_real_evaluation_and_comparison(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert "lowest S-measure" in rgbdsod.report(runs[1]).read_text(encoding="utf-8")
    text = rgbdsod.report(list(runs), compare=True, out=tmp_path / "x.html").read_text(encoding="utf-8")
    assert "95 % interval of the mean change over the same images" in text


def _shape(run: Run) -> tuple[set[str], set[str], set[str], set[str]]:
    """Keys of the record, the metrics, a result, and a row."""
    result = (run.metrics.get("results") or [{}])[0]
    return set(run.record), set(run.metrics), set(result), set(run.rows[0])


@pytest.mark.parametrize("kind", [0, 1])
def test_the_made_up_runs_have_the_real_schema(runs: tuple[Path, Path], tmp_path: Path, kind: int) -> None:
    made_up = read_run((write_attack, write_evaluation)[kind](tmp_path / "a"))
    real = read_run(runs[kind])
    for ours, theirs in zip(_shape(made_up), _shape(real), strict=True):
        assert ours <= theirs
    assert set(made_up.pictures("one")) == set(real.pictures("scene-0-000000"))
