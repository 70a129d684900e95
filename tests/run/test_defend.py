"""Runs on input defences."""

from dataclasses import dataclass

import pytest
import torch
from run_models import scenes, tiny

from rgbdsod.attacks import MapProblem
from rgbdsod.defenses import Chain, compose
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import UsageError
from rgbdsod.run import defend
from rgbdsod.run.defense.front import Front, Quiet
from rgbdsod.run.modeling import inputs_of

FEW = {"modality": "depth", "eps": 16 / 255, "steps": 4, "penalties": (1.0,)}


def one_batch(model):
    data = scenes(3)
    batch = inputs_of([data[at] for at in range(3)], model.inputs, torch.device("cpu"))
    return {name: batch[name] for name in model.inputs}, batch["mask"], data.ids


@dataclass(frozen=True, eq=False, kw_only=True)
class Masked(Filter):
    """Rounds so coarsely that its gradient is nothing, and says that it is exact: it defends by hiding the slope."""

    name = "masked"

    def filter(self, image):
        """Rounded."""
        return (image * 64).round() / 64 + 0 * image


def test_hidden_gradients_are_marked_and_a_search_breaks_them():
    masked = Chain(name="masked", parts=(Masked(),))
    found = defend(tiny(), scenes(2), defenses=["none", masked], search=True, queries=60, **FEW)
    row = next(row for row in found.rows if row["row"] == "masked")
    assert row["check_gradient"] < 0.5
    assert any("said to be exact" in text for text in found.warnings)
    assert row["aware"]["iou"] <= row["unaware"]["iou"] < row["clean"]["iou"]
    assert row["aware"]["iou"] < row["alone"]["iou"] + 1e-9
    assert set(row["attacks"]) <= {"transfer", "pgd", "apgd", "square"}


def test_the_worst_of_all_attacks_is_never_weaker_and_none_is_there():
    found = defend(tiny(), scenes(2), defenses="bits(bits=4),median(window=3)+detect", **FEW)
    assert [row["row"] for row in found.rows] == ["none", "bits(bits=4)", "median(window=3)+detect"]
    for row in found.rows:
        assert row["aware"]["iou"] <= min(row["unaware"]["iou"], row["alone"]["iou"])
        assert row["none"]["iou"] == found.rows[0]["unaware"]["iou"]
        assert not row["weaker"]
    assert found.rows[0]["cost"] == found.rows[0]["gain"] == 0
    assert len(found.samples) == 6


def test_a_resumed_run_has_the_same_rows(tmp_path):
    settings = {"defenses": "shuffle", "checks": False, "expectation": 2, "draws": 2, **FEW}
    whole = defend(tiny(), scenes(3), batch=3, **settings)
    parts = defend(tiny(), scenes(3), batch=1, out=tmp_path / "run", **settings)
    again = defend(tiny(), scenes(3), batch=2, out=tmp_path / "run", **settings)
    assert again.outcome.reused
    for one, other in zip(whole.samples, parts.samples, strict=True):
        for key, value in one.items():
            if "seconds" not in key:
                assert value == (pytest.approx(other[key], abs=1e-5) if isinstance(value, float) else other[key]), key


def test_a_front_is_its_model_where_nothing_defends():
    model = tiny()
    inputs, masks, ids = one_batch(model)
    front = Front(model, compose("none"), ids, "x")
    assert torch.equal(MapProblem(front, masks).forward(inputs), MapProblem(model, masks).forward(inputs))
    chosen = MapProblem(front, masks).select(torch.tensor([2, 0]))
    assert torch.equal(chosen.forward({name: x[[2, 0]] for name, x in inputs.items()}), model(**inputs)[[2, 0]])


def test_the_score_steers_and_does_not_rank():
    model = tiny()
    inputs, masks, ids = one_batch(model)
    chain = compose("detect").in_front_of(model).calibrate(inputs)
    front = Front(model, chain, ids, "x")
    loud, quiet = MapProblem(front, masks), Quiet(front, masks, 10.0)
    x = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    seen = quiet.forward(x)
    assert torch.allclose(quiet.track(seen), loud.loss(loud.forward(inputs)), atol=1e-5)
    assert torch.allclose(quiet.loss(seen), quiet.track(seen) - 10 * seen.score, atol=1e-5)
    assert torch.autograd.grad(seen.score.sum(), x["depth"])[0].abs().sum() > 0


def test_wrong_input_costs_one_sentence():
    for given, text in (
        ({"defenses": ""}, "--defense is empty"),
        ({"defenses": "median,detect(fpr=3)"}, "detect(fpr=3)"),
        ({"fpr": 1.5}, "--fpr 1.5"),
        ({"penalties": (-1.0,)}, "weights of a detector's score"),
        ({"eps": (0.1, 0.2)}, "defend takes one"),
        ({"defenses": "pair-head"}, "--manipulation"),
        ({"defenses": "detect(by=heads)"}, "--manipulation"),
        ({"defenses": "rebuild"}, "--masked"),
    ):
        with pytest.raises(UsageError) as error:
            defend(tiny(), scenes(1), **{**FEW, **given})
        assert text in str(error.value)
