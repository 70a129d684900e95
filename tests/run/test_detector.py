"""The detector of the attacked input: what the rows say, on a network and a detector with known answers."""

from pathlib import Path

import pytest
import torch

from rgbdsod.datasets import load_dataset
from rgbdsod.errors import UsageError
from rgbdsod.run import AlignmentSettings, evaluate_detector
from rgbdsod.run.detector import _accused, _Bench, _dropped, auroc
from rgbdsod.run.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(
        "d3net", data="scenes:4@64x64", val="scenes:2@64x64#1", iterations=1, batch=2, out=folder, workers=0,
        device="cpu", alignment=AlignmentSettings(manipulation=0.1),
    )  # fmt: skip
    return folder


def test_rows_of_a_trained_detector(trained: Path) -> None:
    rows = evaluate_detector(trained, load_dataset("scenes:3@64x64#5"), steps=2, strengths=(1.0,), device="cpu")
    assert [(row.side, row.attack, row.strength) for row in rows] == [
        ("none", "none", 0.0),
        *((side, kind, c) for side in ("rgb", "depth") for kind, c in (("static", 0), ("quiet", 1), ("blame", 1))),
    ]
    assert all(0 <= value <= 1 for row in rows for value in (row.tpr, row.mae, row.mae_fallback))
    assert all(0 <= row.auroc <= 1 for row in rows[1:])


def test_an_attack_that_knows_the_detector_is_seen_less(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that accuses bright depth: the static attack may brighten it, the quiet one must not."""

    def answers(self: _Bench, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        level = [100 * (inputs[name].mean((1, 2, 3)) - 0.5) for name in ("rgb", "depth")]
        return torch.stack([*level, level[0]], 1)

    monkeypatch.setattr(_Bench, "answers", answers)
    rows = evaluate_detector(trained, load_dataset("scenes:3@64x64#5"), steps=4, strengths=(100.0,), device="cpu")
    for side in ("rgb", "depth"):
        static, quiet, _ = (row for row in rows if row.side == side)
        assert quiet.auroc < static.auroc


def test_the_input_that_is_accused_more_is_dropped() -> None:
    limits = torch.tensor([1.0, 2.0])
    said = torch.tensor([[0.0, 0.0], [1.5, 0.0], [2.0, 4.0], [9.0, 2.5]])
    lost = _accused(said, limits)
    assert lost.tolist() == [[False, False], [True, False], [False, True], [True, False]]
    inputs = {"rgb": torch.rand(4, 3, 2, 2), "depth": torch.rand(4, 1, 2, 2)}
    kept = _dropped(inputs, lost)
    assert torch.equal(kept["rgb"][0], inputs["rgb"][0]) and torch.equal(kept["rgb"][2], inputs["rgb"][2])
    assert kept["rgb"][1].flatten(1).std(1).max() == 0 and kept["depth"][2].std() == 0


def test_auroc() -> None:
    assert auroc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.0, 0.5])) == pytest.approx((2 + 1.5 + 1) / 6)


def test_a_training_without_a_detector_is_refused(tmp_path: Path) -> None:
    data = load_dataset("scenes:2@64x64")
    with pytest.raises(UsageError, match="no training is there; pass the folder of one that had --manipulation"):
        evaluate_detector(tmp_path, data)
    with pytest.raises(UsageError, match="a share of 0 accused clean images"):
        evaluate_detector(tmp_path, data, fpr=0.0)
