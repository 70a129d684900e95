"""Zero-shot evaluation under attack: verdicts, resume, averages, interpolation, pictures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import binomtest

from rgbdsod.clip import ClipModel, load_clip, save_checkpoint
from rgbdsod.datasets import glyph_set, load_image_set
from rgbdsod.errors import UsageError
from rgbdsod.run.clip import task as task_module
from rgbdsod.run.clip.accuracy import wilson
from rgbdsod.run.clip.evaluate import as_sets, evaluate_zero_shot, run_zero_shot, zero_shot_task
from rgbdsod.run.clip.images import ImageSets
from rgbdsod.run.clip.keeping import Keeper
from rgbdsod.run.clip.opening import DualEncoder, open_dual_encoder
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.run.clip.tables import collect
from rgbdsod.run.execute import Target
from rgbdsod.run.weight_line import parse_path

PAIRS = glyph_set("pairs", 12)
SHAPES = glyph_set("shapes", 8)
VERDICTS = ("id", "label", "prediction", "prediction_pgd", "broken_pgd", "size_pgd", "zero_gradient_pgd")
HARD = 2 / 255  # a radius at which some images still stand


@pytest.fixture(scope="module")
def model() -> ClipModel:
    return load_clip(device="cpu")


def verdicts(result: Any) -> list[dict[str, Any]]:
    """What does not depend on how long anything took."""
    return [{name: row[name] for name in VERDICTS} for row in result.samples]


def test_the_undefended_model_is_right_and_is_broken(model: ClipModel) -> None:
    """An attack that fails numerically would leave it standing."""
    result = evaluate_zero_shot(model, PAIRS, attacks=("pgd", "noise"), eps=8 / 255, steps=20)
    attacked, noise = result.rows
    assert attacked["clean"] >= 0.9
    assert attacked["robust"] <= 0.25 < noise["robust"]
    assert attacked["zero_gradient"] == 0 == attacked["as_released"]
    assert attacked["largest_change"] <= 8 / 255 + 1e-7


def test_batches_change_nothing(model: ClipModel) -> None:
    words: dict[str, Any] = {"attacks": "pgd", "eps": HARD, "steps": 3}
    whole, *others = (verdicts(evaluate_zero_shot(model, PAIRS, **words, batch=batch)) for batch in (12, 5, 1))
    assert others == [whole, whole]


def test_seeds_decide(model: ClipModel) -> None:
    first, same, other = (_sizes(model, seed) for seed in (0, 0, 1))
    assert first == same != other


def _sizes(model: ClipModel, seed: int) -> list[float]:
    rows = evaluate_zero_shot(model, PAIRS, attacks="noise", eps=HARD, seed=seed).samples
    return [row["size_noise"] for row in rows]


def test_an_interrupted_run_goes_on_with_the_same_command(
    model: ClipModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: dict[str, Any] = {"attacks": "pgd", "eps": HARD, "steps": 3, "batch": 1}
    unbroken = evaluate_zero_shot(model, [PAIRS, SHAPES], **words, out=tmp_path / "unbroken")
    calls, strike = 0, task_module.strike

    def stumbling(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return strike(*arguments)

    monkeypatch.setattr(task_module, "strike", stumbling)
    with pytest.raises(KeyboardInterrupt):
        evaluate_zero_shot(model, [PAIRS, SHAPES], **words, out=tmp_path / "broken")
    before = calls
    resumed = evaluate_zero_shot(model, [PAIRS, SHAPES], **words, out=tmp_path / "broken")
    assert calls - before == 3, "five pieces of four batches, two of which were there"
    assert resumed.metrics == unbroken.metrics
    read = (tmp_path / name / "metrics.json" for name in ("broken", "unbroken"))
    assert len({path.read_bytes() for path in read}) == 1
    with pytest.raises(UsageError, match="this folder was made with steps=3, now 4"):
        evaluate_zero_shot(model, [PAIRS, SHAPES], **{**words, "steps": 4}, out=tmp_path / "broken")


def test_what_the_last_iterate_breaks_some_iterate_breaks(model: ClipModel) -> None:
    found = {}
    for verdict in ("any", "last"):
        result = evaluate_zero_shot(model, [PAIRS, SHAPES], attacks="pgd", eps=HARD, steps=6, verdict=verdict)
        found[verdict] = {row["id"] for row in result.samples if row["broken_pgd"]}
        assert {row["verdict"] for row in result.rows} == {verdict}
    assert found["last"] <= found["any"]
    assert found["any"]


def test_as_released_attacks_wrong_images_too(model: ClipModel) -> None:
    swapped = ImageSets([PAIRS]).sets[0].select(range(12))
    swapped.labels = (swapped.labels + 1) % swapped.classes  # now every image is misclassified
    ours = evaluate_zero_shot(model, swapped, attacks="pgd", eps=8 / 255, steps=10)
    released = evaluate_zero_shot(model, swapped, attacks="pgd,aa-fast", eps=8 / 255, steps=10, as_released=True)
    assert ours.rows[0]["attacked"] == ours.rows[0]["robust"] == 0
    pgd, fast = released.rows
    assert (pgd["attacked"], pgd["verdict"], pgd["as_released"]) == (12, "last", True)
    assert (fast["attacked"], fast["verdict"], fast["as_released"]) == (0, "any", False)


def test_several_sets_radii_and_averages(model: ClipModel) -> None:
    sets = [PAIRS.select(range(3)), SHAPES.select(range(3)), glyph_set("tuning", 2)]
    result = evaluate_zero_shot(model, sets, attacks="pgd,aa-fast", eps=(1 / 255, 8 / 255), steps=1)
    assert len(result.rows) == 12
    assert [(row["name"], row["sets"]) for row in result.averages[:2]] == [("mean", 3), ("zero-shot mean", 2)]
    own = [row for row in result.rows if (row["attack"], row["eps"]) == ("pgd", 1 / 255)]
    assert result.averages[1]["robust"] == pytest.approx((own[0]["robust"] + own[1]["robust"]) / 2)
    assert len(result.gaps) == 6
    assert all(row["seconds"] >= 0 for row in result.rows)
    assert "zero-shot mean of 2" in result.summary()
    assert json.loads(json.dumps(result.document(), allow_nan=False))["schema"] == "rgbdsod.clip-evaluate/1"


def test_names_of_the_published_averages() -> None:
    from rgbdsod.datasets.zero_shot.known import ZERO_SHOT_SETS

    names = ZERO_SHOT_SETS.names()
    samples = [{"id": name, "data": name, "label": 0, "prediction": name == "dtd", "eps": 0.1} for name in names]
    sets = [{"name": name, "split": "test", "classes": 2, "images": 1} for name in names]
    found = collect(samples, sets, ZeroShotSettings(attacks=(), eps=(0.1,)), [])
    assert [(row["name"], row["sets"], row["clean"]) for row in found["averages"]] == [
        ("avg16", 16, pytest.approx(15 / 16)),
        ("avg15-zero-shot", 15, pytest.approx(14 / 15)),
    ]


def test_weak_attacks_and_blind_gradients_are_told() -> None:
    base = {"data": "a", "label": 0, "prediction": 0, "eps": 0.1}
    samples = [
        base | {"id": str(at)} | _verdict("pgd", 0, 0.5) | _verdict("aa-fast", int(at < 2), 0.0) for at in range(4)
    ]
    sets = [{"name": "a", "split": "all", "classes": 2, "images": 4}]
    found = collect(samples, sets, ZeroShotSettings(attacks=("pgd", "aa-fast"), eps=(0.1,)), ["x"])
    assert found["gaps"][0]["gap"] == 0.5
    assert found["warnings"][0] == "x"
    assert "pgd leaves 50.0 points more standing than aa-fast" in found["warnings"][1]
    assert "50.0% of the first gradient of pgd are exactly 0" in found["warnings"][2]


def _verdict(name: str, prediction: int, zeros: float) -> dict[str, Any]:
    values: dict[str, Any] = {
        "prediction": prediction, "float_prediction": prediction, "broken": prediction != 0, "attacked": True,
        "zero_gradient": zeros, "radius": 0.1, "size": 0.1, "distance": None, "forward": 1, "backward": 1,
    }  # fmt: skip
    return {f"{key}_{name}": value for key, value in values.items()}


def test_tasks_at_chance_are_told(model: ClipModel) -> None:
    swapped = PAIRS.select(range(12))
    swapped.labels = (swapped.labels + 1) % swapped.classes
    result = evaluate_zero_shot(model, swapped, attacks=())
    assert result.rows[0]["at_chance"]
    assert "no better than chance" in result.warnings[0]
    assert "robust" not in result.rows[0]


def test_wilson() -> None:
    for right, total in ((0, 7), (3, 8), (8, 8), (250, 256)):
        found, expected = wilson(right, total), binomtest(right, total).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.fixture
def tuned(tmp_path: Path) -> Iterator[Path]:
    """A checkpoint whose image encoder is a little off."""
    model = load_clip(device="cpu")
    with torch.no_grad():
        for weight in model.visual.parameters():
            weight.mul_(0.9)
    save_checkpoint(model, tmp_path / "tuned.safetensors", method="tecoa", settings={"steps": 1})
    yield tmp_path / "tuned.safetensors"


def test_interpolation_leads_from_one_to_the_other(tuned: Path) -> None:
    encoder = open_dual_encoder("clip.demo", tuned, device="cpu", keep_original=True)
    before = encoder.model.fingerprint
    result = evaluate_zero_shot(encoder, PAIRS, attacks="pgd", eps=HARD, steps=3, interpolate="0:1:0.5")
    ends = [
        evaluate_zero_shot(own, PAIRS, attacks="pgd", eps=HARD, steps=3) for own in (load_clip(device="cpu"), encoder)
    ]
    assert [row["share"] for row in result.rows] == [0, 0.5, 1]
    for row, end in zip((result.rows[0], result.rows[2]), ends, strict=True):
        assert (row["clean"], row["robust"]) == (end.rows[0]["clean"], end.rows[0]["robust"])
    assert encoder.model.fingerprint == before
    assert encoder.record()["method"] == "tecoa"


PATHS = {"0:1:0.25": (0, 0.25, 0.5, 0.75, 1), "0,1": (0, 1), "0:1:0.1": tuple(k / 10 for k in range(11))}


@pytest.mark.parametrize("text", PATHS)
def test_paths(text: str) -> None:
    assert parse_path(text) == PATHS[text]


@pytest.mark.parametrize("text", ["0:1", "0:1:0", "1:0:0.1", "0:1:1e-9", "a:b:c"])
def test_paths_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--interpolate"):
        parse_path(text)


def test_interpolation_needs_both_ends(model: ClipModel) -> None:
    with pytest.raises(UsageError, match="keep_original=True"):
        evaluate_zero_shot(model, PAIRS, interpolate="0:1:0.5")
    with pytest.raises(UsageError, match="pass --weights FILE"):
        open_dual_encoder(device="cpu", keep_original=True)


def test_pictures_are_what_is_measured(model: ClipModel, tmp_path: Path) -> None:
    """Files lie inside the budget, can be read as a set, and are classified as the run says."""
    settings = ZeroShotSettings(attacks=("pgd",), eps=(3.5 / 255,), steps=5).checked()
    sets = as_sets(PAIRS, root=None, split=None, settings=settings, template=None, count=None)
    keeper = Keeper(frozenset(sets.ids[:2]))
    task = zero_shot_task(DualEncoder(model), sets, settings, command="clip attack", keeper=keeper)
    result = run_zero_shot(task, Target(out=tmp_path / "run"))
    assert result.rows[0]["largest_change"] == pytest.approx(3 / 255, abs=1e-6)
    folder = tmp_path / "run" / "adversarial" / "glyphs-pairs"
    back = load_image_set(folder, template=PAIRS.template)
    again = evaluate_zero_shot(model, back, attacks=())
    named = {Path(row["id"]).stem: back.class_names[row["prediction"]] for row in again.samples}
    said = {row["id"].split("/")[1]: PAIRS.class_names[row["prediction_pgd"]] for row in result.samples}
    assert named == said
    assert len(list((tmp_path / "run" / "images").iterdir())) == 2


def test_all_weights_stay_as_they_were(model: ClipModel) -> None:
    before = model.fingerprint
    evaluate_zero_shot(model, PAIRS, attacks="pgd", steps=2)
    assert model.fingerprint == before
    assert all(weight.grad is None for weight in model.parameters())
    assert {weight.requires_grad for weight in model.visual.parameters()} == {True}


def test_classifiers_share_the_text_features(model: ClipModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts are encoded once for a set, whatever the number of batches and attacks."""
    calls = 0
    encode = type(model).encode_text

    def counted(self: ClipModel, texts: list[str]) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return encode(self, texts)

    monkeypatch.setattr(type(model), "encode_text", counted)
    evaluate_zero_shot(model, [PAIRS, SHAPES], attacks="pgd,cw-linf", steps=1, batch=3)
    assert calls == 2
