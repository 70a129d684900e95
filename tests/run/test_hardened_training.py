"""Trainings with each hardening method: exact continuation, averaged weights, consistency, alignment."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import torch
from run_training import NAME, SIDE, saved, trained, two_cones
from torch import Tensor

from rgbdsod.attacks import Budget
from rgbdsod.datasets import load_dataset
from rgbdsod.defenses import AdversarialTraining, FreeTraining, MapHardening, map_hardening
from rgbdsod.errors import UsageError
from rgbdsod.models import build_model
from rgbdsod.run import AlignmentSettings, ConsistencySettings
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.consistency import Consistency
from rgbdsod.run.training_step import replayed
from rgbdsod.run.validate import validate

BOTH = {"rgb": Budget(eps=0.1), "depth": Budget(eps=0.1)}
ALIGNED = AlignmentSettings(itc=0.1, itm=0.1, manipulation=0.1, queue=5, momentum=0.9)
SETTINGS = {"pgd": {"steps": 1}, "trades": {"steps": 1}, "free": {"replays": 2}, "fast": {}}
COMBINATIONS = [
    *((name, sources) for name in SETTINGS for sources in ("joint", "alternate", "worst")),
    ("pgd", "rgb"),
    ("free", "depth"),
]
COMBINATIONS.remove(("free", "worst"))


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    with two_cones():
        yield


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights to begin with."""
    folder = tmp_path_factory.mktemp("begun")
    trained(folder, iterations=1)
    return folder / "checkpoints" / "best.pt"


def _method(name: str, sources: str) -> MapHardening:
    if sources in BOTH:
        return map_hardening(name, {sources: BOTH[sources]}, **SETTINGS[name])
    return map_hardening(name, BOTH, sources=sources, **SETTINGS[name])


@pytest.mark.parametrize(("name", "sources"), COMBINATIONS)
def test_all_losses_combine_and_continues_with_the_same_weights(
    tmp_path: Path, begun: Path, name: str, sources: str
) -> None:
    """Alignment, consistency, dropout and averaged weights are on; the stop is in the middle of a replay of "free"."""

    def stopped_at_1(done: int, total: int, measures: dict[str, float]) -> None:
        if done == 1:
            copytree(tmp_path / "whole", tmp_path / "stopped")

    settings = {
        "adversarial": _method(name, sources), "alignment": ALIGNED, "consistency": ConsistencySettings(1, 1, 1),
        "init": begun, "ema": 0.5, "modality_dropout": 0.5, "iterations": 3 if name == "free" else 2,
        "validate_every": 1,
    }  # fmt: skip
    whole = trained(tmp_path / "whole", callback=stopped_at_1, **settings)
    trained(tmp_path / "stopped", **settings)
    ours, theirs = saved(tmp_path / "whole"), saved(tmp_path / "stopped")
    for group in ("model", "average", "alignment", *(("memory",) if name == "free" else ())):
        for key, value in ours[group].items():
            assert torch.equal(value, theirs[group][key]) and value.isfinite().all(), (group, key)
    assert ("watch" in {event["event"] for event in whole.history}) == (name == "fast")


def test_attacks_leave_alignment_its_clean_images(tmp_path: Path) -> None:
    """Contrast, matching and the twins of `manipulation` see in a first step what they see in a training without one.

    The twins are made in evaluation mode, whose statistics have just taken in the attacked images: hence the tolerance.
    """
    first = {}
    for name in ("none", *SETTINGS):
        method = None if name == "none" else _method(name, "joint")
        first[name] = trained(tmp_path / name, iterations=1, alignment=ALIGNED, adversarial=method).history[0]
    own = {name: event.pop("saliency") for name, event in first.items()}
    assert own["pgd"] > own["none"] and own["trades"] > own["none"]
    for name in SETTINGS:
        for key in ("itc", "itm", "itm_hard", "manipulation"):
            tolerance = 0.01 if key == "manipulation" else 1e-6
            assert first[name][key] == pytest.approx(first["none"][key], rel=tolerance), (name, key)


def test_averaged_weights_are_validated_saved_and_returned(tmp_path: Path) -> None:
    states: list[dict[str, Tensor]] = []

    def note(done: int, total: int, measures: dict[str, float]) -> None:
        states.append(saved(tmp_path)["model"])

    result = trained(tmp_path, ema=0.75, iterations=3, validate_every=1, callback=note)
    expected = states[0]
    for state in states[1:]:
        expected = {key: value if not value.is_floating_point() else 0.75 * value + 0.25 * state[key]
                    for key, value in expected.items()}  # fmt: skip
    average = saved(tmp_path)["average"]
    for key, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(average[f"module.network.{key}"], value, atol=1e-6, rtol=1e-5)
    measured = validate(result.model, load_dataset(f"scenes:1@{SIDE}x{SIDE}#1"))
    assert {name: result.best[name] for name in measured} == pytest.approx(measured)
    events = [event for event in result.history if event["event"] == "validation"]
    assert result.best["sm"] == max(event["sm"] for event in events)
    with pytest.raises(UsageError, match=r"ema=0.75, now None; use --restart"):
        trained(tmp_path, iterations=3)


def test_a_training_does_not_continue_with_other_sources(tmp_path: Path) -> None:
    trained(tmp_path, iterations=1, adversarial=_method("pgd", "worst"))
    with pytest.raises(UsageError, match=r"sources=worst, now None"):
        trained(tmp_path, iterations=1, adversarial=_method("pgd", "joint"))


def test_a_batch_is_replayed_from_where_it_stopped() -> None:
    stream = ({"number": torch.tensor(number)} for number in (4, 5))
    assert [int(found["number"]) for found in replayed(stream, 3, 2)] == [4, 5, 5, 5]


@pytest.mark.parametrize("method", [AdversarialTraining(BOTH, 1), FreeTraining(BOTH, 3)], ids=["pgd", "free"])
def test_consistency_losses_are_weighed_and_logged(tmp_path: Path, begun: Path, method: MapHardening) -> None:
    how = ConsistencySettings(0.5, 0.5, 0.5)
    run = trained(tmp_path, adversarial=method, init=begun, iterations=2, consistency=how)
    event = next(event for event in run.history if event["event"] == "train")
    each = ("attention_consistency", "feature_consistency", "model_constraint")
    assert all(event[key] > 0 for key in each)
    assert event["loss"] == pytest.approx(event["saliency"] + 0.5 * sum(event[key] for key in each), rel=1e-4)


def test_attention_comes_from_the_cross_encoder_where_there_is_one() -> None:
    model = build_model(NAME, seed=0, device="cpu")
    heads = Alignment(model, AlignmentSettings(masked=0.1), seed=0, total=1)
    settings = ConsistencySettings(attention_consistency=1.0)
    assert Consistency(model, settings, heads).cross is heads.parts["cross"]
    assert Consistency(model, settings, None).cross is None
    early = build_model("bbsnet", fusion="early", seed=0, device="cpu")
    with pytest.raises(UsageError, match="no separate encoders of RGB and depth"):
        Consistency(early, settings, None)
    assert Consistency(early, ConsistencySettings(model_constraint=1.0), None).streams is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema": 1.0}, "--ema 1: a share between 0 and 1"),
        ({"consistency": ConsistencySettings(1.0)}, "pass --adversarial pgd too"),
        (
            {"consistency": ConsistencySettings(0.0, 1.0), "adversarial": AdversarialTraining(BOTH, 1)},
            "--feature-consistency keeps the network near the one that the training begins with",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trained(tmp_path, **settings)
    with pytest.raises(UsageError, match="--model-constraint -1: a weight of 0 or more"):
        ConsistencySettings(model_constraint=-1.0)
