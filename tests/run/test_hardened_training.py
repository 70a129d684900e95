"""Trainings with each hardening method: exact continuation, averaged weights, consistency, networks in between."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rgbdsod import interpolate
from rgbdsod.attacks import Budget
from rgbdsod.datasets import load_dataset
from rgbdsod.defenses import AdversarialTraining, FastTraining, FreeTraining, MapHardening, Trades
from rgbdsod.errors import UsageError
from rgbdsod.models import build_model
from rgbdsod.run import AlignmentSettings, ConsistencySettings
from rgbdsod.run.consistency import Consistency
from rgbdsod.run.interpolate import interpolation_curve
from rgbdsod.run.train import train
from rgbdsod.run.trainer import TrainResult
from rgbdsod.run.training_step import replayed
from rgbdsod.run.validate import validate

BOTH = {"rgb": Budget(eps=0.1), "depth": Budget(eps=0.1)}
METHODS = {
    "pgd": AdversarialTraining(BOTH, 1),
    "worst": AdversarialTraining(BOTH, 1, sources="worst"),
    "alternate": AdversarialTraining(BOTH, 1, sources="alternate"),
    "trades": Trades(BOTH, 1),
    "free": FreeTraining(BOTH, 3),
    "fast": FastTraining(BOTH),
}


class StopError(Exception):
    """Raised in the middle of a training."""


def _train(out: Path, **changes: object) -> TrainResult:
    settings = {"data": "scenes:24@64x64", "val": "scenes:1@64x64#1", "iterations": 3, "batch": 2, "validate_every": 2}
    return train("bbsnet", out=out, workers=0, device="cpu", **(settings | changes))


def _state(folder: Path, name: str = "last") -> dict[str, dict[str, Tensor]]:
    return torch.load(folder / "checkpoints" / f"{name}.pt", weights_only=True)


def _stopped_at_2(done: int, total: int, measures: dict[str, float]) -> None:
    if done == 2:
        raise StopError


@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path, name: str) -> None:
    """The stop is in the middle of a replay of "free"; averaged weights and dropout are on."""
    settings = {"adversarial": METHODS[name], "ema": 0.5, "modality_dropout": 0.5}
    whole = _train(tmp_path / "whole", **settings)
    with pytest.raises(StopError):
        _train(tmp_path / "parts", callback=_stopped_at_2, **settings)
    _train(tmp_path / "parts", **settings)
    ours, theirs = _state(tmp_path / "whole"), _state(tmp_path / "parts")
    for group in ("model", "average", *(("memory",) if name == "free" else ())):
        assert all(torch.equal(value, theirs[group][key]) for key, value in ours[group].items()), group
    assert ("watch" in {event["event"] for event in whole.history}) == (name == "fast")


def test_averaged_weights_are_validated_saved_and_returned(tmp_path: Path) -> None:
    states: list[dict[str, Tensor]] = []

    def note(done: int, total: int, measures: dict[str, float]) -> None:
        states.append(_state(tmp_path)["model"])

    result = _train(tmp_path, ema=0.75, iterations=3, validate_every=1, callback=note)
    expected = states[0]
    for state in states[1:]:
        expected = {key: value if not value.is_floating_point() else 0.75 * value + 0.25 * state[key]
                    for key, value in expected.items()}  # fmt: skip
    average = _state(tmp_path)["average"]
    for key, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(average[f"module.network.{key}"], value, atol=1e-6, rtol=1e-5)
    measured = validate(result.model, load_dataset("scenes:1@64x64#1"))
    assert {name: result.best[name] for name in measured} == pytest.approx(measured)
    events = [event for event in result.history if event["event"] == "validation"]
    assert result.best["sm"] == max(event["sm"] for event in events)
    with pytest.raises(UsageError, match=r"ema=0.75, now None; use --restart"):
        _train(tmp_path, iterations=3)


def test_a_training_does_not_continue_with_other_sources(tmp_path: Path) -> None:
    _train(tmp_path, iterations=1, adversarial=METHODS["worst"])
    with pytest.raises(UsageError, match=r"sources=worst, now None"):
        _train(tmp_path, iterations=1, adversarial=METHODS["pgd"])


def test_a_batch_is_replayed_from_where_it_stopped() -> None:
    stream = ({"number": torch.tensor(number)} for number in (4, 5))
    assert [int(found["number"]) for found in replayed(stream, 3, 2)] == [4, 5, 5, 5]


@pytest.mark.parametrize("method", [METHODS["pgd"], METHODS["free"]], ids=["pgd", "free"])
def test_consistency_losses_are_logged_and_continue_exactly(tmp_path: Path, method: MapHardening) -> None:
    _train(tmp_path / "clean", iterations=1)
    settings = {
        "adversarial": method, "init": tmp_path / "clean" / "checkpoints" / "best.pt", "iterations": 2,
        "consistency": ConsistencySettings(0.5, 0.5, 0.5), "validate_every": 1,
    }  # fmt: skip
    whole = _train(tmp_path / "whole", **settings)
    event = whole.history[-2]
    assert {"saliency", "attention_consistency", "feature_consistency", "model_constraint"} <= set(event)
    weighted = sum(event[key] for key in ("attention_consistency", "feature_consistency", "model_constraint"))
    assert event["loss"] == pytest.approx(event["saliency"] + 0.5 * weighted, rel=1e-4)

    def stop(done: int, total: int, measures: dict[str, float]) -> None:
        raise StopError

    with pytest.raises(StopError):
        _train(tmp_path / "parts", callback=stop, **settings)
    _train(tmp_path / "parts", **settings)
    ours, theirs = _state(tmp_path / "whole")["model"], _state(tmp_path / "parts")["model"]
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_attention_comes_from_the_cross_encoder_where_there_is_one(tmp_path: Path) -> None:
    model = build_model("bbsnet", seed=0, device="cpu")
    from rgbdsod.run.alignment import Alignment

    heads = Alignment(model, AlignmentSettings(masked=0.1), seed=0, total=1)
    settings = ConsistencySettings(attention_consistency=1.0)
    assert Consistency(model, settings, heads).cross is heads.parts["cross"]
    assert Consistency(model, settings, None).cross is None
    with pytest.raises(UsageError, match="no separate encoders of RGB and depth"):
        Consistency(build_model("bbsnet", fusion="early", seed=0, device="cpu"), settings, None)
    early = build_model("bbsnet", fusion="early", seed=0, device="cpu")
    assert Consistency(early, ConsistencySettings(model_constraint=1.0), None).streams is None


def test_networks_in_between(tmp_path: Path) -> None:
    clean, robust = (build_model("d3net", seed=seed, device="cpu").eval() for seed in (0, 1))
    ours, theirs = clean.network.state_dict(), robust.network.state_dict()
    for alpha in (0.0, 0.25, 1.0):
        found = interpolate(clean, robust, alpha).network.state_dict()
        for name, value in found.items():
            if value.is_floating_point():
                torch.testing.assert_close(value, (1 - alpha) * ours[name] + alpha * theirs[name])
    assert all(torch.equal(value, ours[name]) for name, value in clean.network.state_dict().items())
    with pytest.raises(UsageError, match="--alpha 2: a share of the robust weights"):
        interpolate(clean, robust, 2.0)
    with pytest.raises(UsageError, match="networks of different designs"):
        interpolate(clean, build_model("bbsnet", seed=0, device="cpu"), 0.5)
    points = list(interpolation_curve(clean, robust, [0.0, 1.0], out=tmp_path, data=load_dataset("scenes:1@64x64"),
                                      attack="pgd", steps=1))  # fmt: skip
    assert [point.weights.name for point in points] == ["alpha-0.pt", "alpha-1.pt"]
    written = torch.load(points[1].weights, weights_only=True)["model"]
    assert all(torch.equal(value, theirs[name]) for name, value in written.items())
    assert all({"sm", "mae", "iou_bin"} <= set(point.clean) & set(point.robust) for point in points)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema": 1.0}, "--ema 1: a share between 0 and 1"),
        ({"consistency": ConsistencySettings(1.0)}, "pass --adversarial pgd too"),
        (
            {"consistency": ConsistencySettings(0.0, 1.0), "adversarial": METHODS["pgd"]},
            "--feature-consistency keeps the network near the one that the training begins with",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _train(tmp_path, **settings)
    with pytest.raises(UsageError, match="--model-constraint -1: a weight of 0 or more"):
        ConsistencySettings(model_constraint=-1.0)
