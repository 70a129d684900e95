"""Training with alignment losses: every network, exact continuation, and what each step does to the inputs."""

from pathlib import Path

import pytest
import torch

from rgbdsod.datasets import Augmentation, load_dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import build_model
from rgbdsod.run import AlignmentSettings, Mismatched, PairFilter, score_pairs
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.modality_dropout import dropped
from rgbdsod.run.stream import batches
from rgbdsod.run.streams import streams_of
from rgbdsod.run.train import train
from rgbdsod.run.trainer import TrainResult
from rgbdsod.run.twins import LABELS, twins

ALL = AlignmentSettings(itc=0.1, itc_dense=0.1, itm=0.1, masked=0.1, manipulation=0.1, queue=7, momentum=0.9)


def _train(out: Path, model: str = "bbsnet", **changes: object) -> TrainResult:
    settings = {"data": "scenes:24@64x64", "val": "scenes:2@64x64#1", "iterations": 3, "batch": 2, "validate_every": 1}
    return train(model, out=out, workers=0, device="cpu", **(settings | changes))


def _batch(count: int = 2) -> dict[str, torch.Tensor]:
    data = load_dataset("scenes:6@128x128")
    how = Augmentation(0, 1, 0)
    return next(batches(data, range(1), batch=count, seed=0, how=how, size=(128, 128), workers=0))


def test_an_interrupted_training_ends_with_the_same_heads_queue_and_copy(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int, measures: dict[str, float]) -> None:
        if done == 2:
            raise StopError

    settings = {"alignment": ALL, "modality_dropout": 0.5}
    _train(tmp_path / "whole", **settings)
    with pytest.raises(StopError):
        _train(tmp_path / "parts", callback=stop, **settings)
    _train(tmp_path / "parts", **settings)
    whole, parts = (
        torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True) for name in ("whole", "parts")
    )
    assert {name.split(".")[0] for name in whole["alignment"]} == {
        "itc", "itc_dense", "cross", "itm", "masked", "manipulation", "slow", "queue", "statistics"
    }  # fmt: skip
    assert whole["alignment"]["queue.written"] == 6
    for group in ("model", "alignment"):
        assert all(torch.equal(value, parts[group][name]) for name, value in whole[group].items())


def test_a_training_does_not_continue_with_other_losses(tmp_path: Path) -> None:
    _train(tmp_path, iterations=1, alignment=AlignmentSettings(itc=0.1))
    with pytest.raises(UsageError, match=r"alignment=.*now None; use --restart"):
        _train(tmp_path, iterations=1)


@pytest.mark.parametrize(
    ("model", "fusion"),
    [("bbsnet", None), ("bbsnet", "feature"), ("d3net", None), ("d3net", "multistage"), ("jldcf", None)],
)
def test_every_loss_reaches_both_encoders_of_every_network(model: str, fusion: str | None) -> None:
    network, batch = build_model(model, fusion=fusion, seed=0, device="cpu"), _batch()
    for name in ("itc", "itc_dense", "itm", "masked"):
        alignment = Alignment(network, AlignmentSettings(**{name: 1.0}), seed=0, total=10)
        loss, seen = alignment(batch, 0)
        network.zero_grad()
        loss.backward()
        assert torch.isfinite(loss) and all(torch.isfinite(value) for value in seen.values())
        for encoder in alignment.streams.encoders.values():
            assert sum(float(p.grad.abs().sum()) for p in encoder.parameters() if p.grad is not None) > 0


def test_the_detector_leaves_the_encoders_alone_unless_shared() -> None:
    network, batch = build_model("d3net", seed=0, device="cpu"), _batch()
    for shared in (False, True):
        alignment = Alignment(network, AlignmentSettings(manipulation=1.0, shared=shared), seed=0, total=10)
        network.zero_grad()
        alignment(batch, 0)[0].backward()
        assert any(value.grad is not None for value in network.parameters()) == shared


@pytest.mark.parametrize("model", ["bbsnet", "jldcf"])
def test_early_fusion_has_no_streams(model: str) -> None:
    with pytest.raises(UsageError, match="early fusion has no separate encoders of RGB and depth"):
        streams_of(build_model(model, fusion="early", seed=0, device="cpu"))


def test_passes_on_one_input_have_statistics_of_their_own() -> None:
    network, batch = build_model("bbsnet", seed=0, device="cpu"), _batch()
    before = {name: value.clone() for name, value in network.network.named_buffers()}
    alignment = Alignment(network, AlignmentSettings(itc=1.0), seed=0, total=10)
    for iteration in range(60):
        alignment(batch, iteration)
    assert all(torch.equal(value, before[name]) for name, value in network.network.named_buffers())
    training = alignment.features("rgb", batch["rgb"])
    assert training.shape == (2, 64, 8, 8)
    network.eval()
    torch.testing.assert_close(alignment.features("rgb", batch["rgb"]), training, atol=0.1, rtol=0.1)
    assert not torch.allclose(alignment.streams("rgb", network.prepare("rgb", batch["rgb"])), training, atol=0.1)


def test_one_image_or_one_group_is_no_trouble() -> None:
    network = build_model("d3net", seed=0, device="cpu").eval()
    settings = AlignmentSettings(itc=0.1, itc_dense=0.1, itm=0.1, masked=0.1, manipulation=0.1)
    for batch in (_batch(1), _batch() | {"group": torch.tensor([4, 4])}):
        loss, seen = Alignment(network, settings, seed=0, total=10)(batch, 0)
        assert torch.isfinite(loss)
        assert (float(seen["itc"]), float(seen["itc_negatives"])) == (0, 0)


def test_twins_are_what_their_labels_say() -> None:
    network = build_model("d3net", seed=0, device="cpu")
    batch, found = _batch(6), set()
    for iteration in range(3):
        moved, labels = twins(network, batch, seed=0, iteration=iteration)
        again, same = twins(network, batch, seed=0, iteration=iteration)
        assert torch.equal(moved["rgb"], again["rgb"]) and torch.equal(labels, same)
        changed = {name: (moved[name] != batch[name]).flatten(1).any(1) for name in moved}
        for place, (rgb, depth, mismatch) in enumerate(labels.tolist()):
            found.add((rgb, depth, mismatch))
            if rgb or depth:
                assert [bool(changed[name][place]) for name in ("rgb", "depth")] == [rgb, depth]
            if mismatch:
                assert torch.equal(moved["rgb"][place], batch["rgb"][place])
                assert torch.equal(moved["depth"][place], batch["depth"][place - 1])
    assert found <= set(LABELS.values()) and len(found) >= 4


def test_modality_dropout_takes_one_input_of_a_share_of_the_images() -> None:
    inputs = {"rgb": torch.rand(400, 3, 4, 4), "depth": torch.rand(400, 1, 4, 4), "mask": torch.rand(400, 1, 4, 4)}
    result = dropped(inputs, ("rgb", "depth"), 0.3, seed=0, iteration=0)
    gone = {name: (result[name] != inputs[name]).flatten(1).any(1) for name in inputs}
    assert not gone["mask"].any() and not (gone["rgb"] & gone["depth"]).any()
    assert 0.1 < gone["rgb"].float().mean() < 0.2 and 0.1 < gone["depth"].float().mean() < 0.2
    lost = result["rgb"][gone["rgb"]]
    torch.testing.assert_close(lost, inputs["rgb"][gone["rgb"]].mean((2, 3), keepdim=True).expand_as(lost))
    assert dropped(inputs, ("rgb",), 0.0, seed=0, iteration=0)["rgb"] is inputs["rgb"]


def test_the_filter_reads_an_earlier_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Mismatched(load_dataset("scenes:8@64x64"), 0.5, seed=1)
    assert [kind != "" for kind in data.wrong].count(True) == 4
    _train(tmp_path / "first", "d3net", data=data, iterations=1, alignment=AlignmentSettings(itm=0.1))
    scores = score_pairs(tmp_path / "first", data, device="cpu")
    torch.testing.assert_close(scores, score_pairs(tmp_path / "first", data, device="cpu", batch=3), atol=1e-4, rtol=0)
    assert scores.shape == (8,) and ((scores > 0) & (scores < 1)).all()
    kept, weights = PairFilter(str(tmp_path / "first"), share=0.25)(data, "cpu")
    assert (len(kept), weights) == (6, None)
    lowest = {data.ids[place] for place in scores.argsort()[:2]}
    assert not lowest & set(kept.ids)
    monkeypatch.setattr("rgbdsod.run.pair_filter.score_pairs", lambda *_, **__: torch.linspace(0.1, 0.9, 8))
    weighed = PairFilter(str(tmp_path / "first"), "weight")
    first, second = (
        _train(tmp_path / name, "d3net", data=data, iterations=1, pair_filter=how).history[0]["loss"]
        for name, how in (("plain", None), ("weighed", weighed))
    )
    assert first != second


def test_the_filter_needs_a_training_with_a_matching_head(tmp_path: Path) -> None:
    data = load_dataset("scenes:2@64x64")
    with pytest.raises(UsageError, match="no training is there"):
        score_pairs(tmp_path / "none", data)
    _train(tmp_path / "plain", "d3net", iterations=1)
    with pytest.raises(UsageError, match="that training had no matching head"):
        score_pairs(tmp_path / "plain", data)
    with pytest.raises(UsageError, match="expected drop or weight"):
        PairFilter("first", "keep")  # type: ignore[arg-type]


def test_wrong_depth_is_of_the_kind_it_is_called() -> None:
    data = load_dataset("scenes:9@64x64")
    wrong = Mismatched(data, 2 / 3, seed=0)
    assert sorted(wrong.wrong) == [""] * 3 + ["noisy"] * 2 + ["shifted"] * 2 + ["swapped"] * 2
    for place, kind in enumerate(wrong.wrong):
        mine, theirs = data[place].depth, wrong[place].depth
        assert (mine == theirs).all() == (kind == "")
        assert (wrong[place].rgb == data[place].rgb).all() and theirs.min() >= 0 and theirs.max() <= 1
        assert wrong.digest(place) != data.digest(place)
    with pytest.raises(UsageError, match="a share of 2 of 9 images"):
        Mismatched(data, 2.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"itc": -1.0}, "--itc -1: a weight of 0 or more"),
        ({"itm": float("nan")}, "--itm nan: a weight"),
        ({"itc": 0.1, "queue": -1}, "--queue -1: images to remember"),
        ({"queue": 4}, "--queue has no effect without --itc"),
        ({"itc": 0.1, "momentum": 1.0}, "--momentum 1: from 0 to below 1"),
        ({"itc": 0.1, "pool": "max"}, "--itc-pool max: expected gap, mask or attn"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AlignmentSettings(**settings)


def test_settings_are_checked_against_the_training_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--queue 24 is not smaller than the training set \(24 images\)"):
        _train(tmp_path, alignment=AlignmentSettings(itc=0.1, queue=24))
    assert "its loss" not in AlignmentSettings(itc=0.1).check(24, 2)
    assert "a batch of 1 has nothing to compare" in AlignmentSettings(itc=0.1).check(24, 1)[0]
    assert AlignmentSettings(itc=0.1, queue=5).check(24, 1) == []
    with pytest.raises(UsageError, match=r"--modality-dropout 2: a share of the images"):
        _train(tmp_path, modality_dropout=2.0)
