"""Training: learns, continues exactly where it stopped, keeps the best weights, and refuses what makes no sense."""

import json
from pathlib import Path

import pytest
import torch

from rgbdsod.attacks import Budget
from rgbdsod.datasets import Augmentation, load_dataset
from rgbdsod.defenses import AdversarialTraining
from rgbdsod.errors import RgbdsodError, UsageError, WeightsError
from rgbdsod.run.recipes import RECIPES, build_optimizer, rate_factor
from rgbdsod.run.stream import batches
from rgbdsod.run.train import default_recipe, train
from rgbdsod.run.trainer import TrainResult
from rgbdsod.run.validate import dependence, validate


def _train(out: Path, **changes: object) -> TrainResult:
    settings = {"data": "scenes:24@64x64", "val": "scenes:4@64x64#1", "iterations": 4, "batch": 2, "validate_every": 2}
    return train("bbsnet", out=out, workers=0, device="cpu", **(settings | changes))


def _weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / f"{name}.pt", weights_only=True)["model"]


def test_the_loss_falls(tmp_path: Path) -> None:
    model = train(
        "bbsnet", data="scenes:4@64x64", val="scenes:2@64x64#1", out=tmp_path, iterations=30, batch=4, workers=0,
        validate_every=30, augmentation=Augmentation(0, 1, 0), device="cpu",
    )  # fmt: skip
    losses = [event["loss"] for event in model.history if event["event"] == "train"]
    untrained = _train(tmp_path / "other", iterations=1, validate_every=1).history[0]["loss"]
    assert losses[-1] < 0.7 * untrained


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int, measures: dict[str, float]) -> None:
        if done == 3:
            raise StopError

    whole = _train(tmp_path / "whole")
    with pytest.raises(StopError):
        _train(tmp_path / "parts", callback=stop)
    parts = _train(tmp_path / "parts")
    ours, theirs = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    times = {"seconds"}
    strip = [[{k: v for k, v in event.items() if k not in times} for event in run.history] for run in (whole, parts)]
    assert strip[0] == strip[1]
    logged = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert logged == parts.history


def test_batches_do_not_depend_on_workers_or_where_the_stream_begins() -> None:
    data = load_dataset("scenes:6@64x64")
    settings = {"batch": 2, "seed": 3, "how": Augmentation(), "size": (64, 64)}
    alone = list(batches(data, range(5), workers=0, **settings))
    later = list(batches(data, range(3, 5), workers=1, **settings))
    for one, other in zip(alone[3:], later, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(alone[0]["rgb"], alone[3]["rgb"]), "an epoch later the same scenes come in another order"


def test_the_best_weights_are_returned(tmp_path: Path) -> None:
    result = _train(tmp_path)
    measured = validate(result.model, load_dataset("scenes:4@64x64#1"))
    assert {name: result.best[name] for name in measured} == pytest.approx(measured)
    validations = [event for event in result.history if event["event"] == "validation"]
    assert result.best["sm"] == max(event["sm"] for event in validations)


def test_adversarial_training_sees_other_inputs(tmp_path: Path) -> None:
    hard = AdversarialTraining(threat={"depth": Budget(eps=0.1)}, steps=1)
    losses = [_train(tmp_path / str(how), iterations=1, adversarial=how).history[0]["loss"] for how in (None, hard)]
    assert losses[0] != losses[1]


def test_a_loss_that_is_not_finite_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rgbdsod.run.trainer.training_loss", lambda _: lambda outputs, mask: outputs["final"].sum() / 0)
    with pytest.raises(RgbdsodError, match=r"the loss is -?(nan|inf) at iteration 4"):
        _train(tmp_path)


def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="use --restart to begin anew"):
        _train(tmp_path)


def test_a_training_does_not_continue_with_other_settings(tmp_path: Path) -> None:
    _train(tmp_path, iterations=2)
    with pytest.raises(UsageError, match=r"iterations=2, now 4; seed=0, now 1; use --restart"):
        _train(tmp_path, seed=1)


def test_published_networks_have_their_own_recipe() -> None:
    assert [default_recipe(name) for name in ("bbsnet", "bbsnet.paper", "d3net.demo")] == ["small", "bbsnet", "small"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "0 iterations: nothing to train"),
        ({"iterations": 1, "epochs": 1}, "give --iterations or --epochs, not both"),
        ({"lr": -1.0}, "a learning rate lies between 0 and 1"),
        ({"batch": 0}, "at least 1 image"),
        ({"recipe": "smal"}, "there are bbsnet, d3net, jldcf, small"),
        ({"dtype": "float8"}, "train computes in auto, float32, bfloat16"),
    ],
)
def test_wrong_settings(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _train(tmp_path, **changes)


@pytest.mark.parametrize("name", RECIPES.names())
def test_recipes(name: str) -> None:
    recipe = RECIPES[name]
    factor = rate_factor(recipe, 1000)
    rates = [factor(t) for t in range(1000)]
    assert 0.99 < max(rates) <= 1
    assert min(rates) >= 0
    if recipe.schedule == "constant":
        assert set(rates) == {1.0}
    else:
        assert rates[-1] <= 0.01
    group = build_optimizer(recipe, [torch.nn.Parameter(torch.zeros(1))], recipe.lr).param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (recipe.lr, recipe.weight_decay)


def test_dependence_swaps_one_input() -> None:
    class ReadsDepth(torch.nn.Module):
        inputs = ("rgb", "depth")

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def predict(self, *, size: None, rgb: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
            return (depth[:, 0] * 255).round().to(torch.uint8)

    figures = dependence(ReadsDepth(), load_dataset("scenes:6@64x64"))  # type: ignore[arg-type]
    assert figures["rgb swapped"] == figures["clean"]
    assert figures["depth swapped"]["sm"] < figures["clean"]["sm"]
