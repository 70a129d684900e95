"""Runs on input defences."""

import pytest
import torch
from run_models import scenes, tiny

from rgbdsod.attacks import MapProblem
from rgbdsod.defenses import compose
from rgbdsod.errors import UsageError
from rgbdsod.run import defend
from rgbdsod.run.defense.aware.problems import Quiet, Ranked
from rgbdsod.run.defense.front import Front
from rgbdsod.run.modeling import inputs_of

FEW = {"modality": "depth", "eps": 16 / 255, "steps": 3, "penalties": (1.0,), "effort": "quick"}


def one_batch(model):
    data = scenes(3)
    batch = inputs_of([data[at] for at in range(3)], model.inputs, torch.device("cpu"))
    return {name: batch[name] for name in model.inputs}, batch["mask"], data.ids


@pytest.fixture(scope="module")
def found():
    return defend(tiny(), scenes(2), defenses="bits(bits=4),median(window=3)+detect", **FEW)


def test_the_worst_of_all_attacks_is_never_weaker_and_none_is_there(found):
    assert [row["row"] for row in found.rows] == ["none", "bits(bits=4)", "median(window=3)+detect"]
    for row in found.rows:
        assert row["aware"]["iou"] <= min(row["unaware"]["iou"], row["alone"]["iou"])
        assert row["none"]["iou"] == found.rows[0]["unaware"]["iou"]
        assert set(row["attacks"]) <= {"transfer", "pgd", "apgd", "quiet 1", "from none", "from bits(bits=4)"}
        assert not row["weaker"]
    assert found.rows[0]["cost"] == found.rows[0]["gain"] == 0
    assert len(found.samples) == 6


def test_a_resumed_run_has_the_same_rows(tmp_path):
    settings = {"defenses": "resize-pad", "checks": False, "expectation": 2, "draws": 2, **FEW, "steps": 2}
    whole = defend(tiny(), scenes(2), batch=2, **settings)
    parts = defend(tiny(), scenes(2), batch=1, out=tmp_path / "run", **settings)
    again = defend(tiny(), scenes(2), batch=2, out=tmp_path / "run", **settings)
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
    loud, quiet = Ranked(front, masks), Quiet(front, masks, 10.0)
    x = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    seen = quiet.forward(x)
    assert torch.allclose(quiet.track(seen), loud.track(loud.forward(inputs)), atol=1e-5)
    assert torch.allclose(quiet.loss(seen), loud.loss(seen.logits) - 10 * seen.score, atol=1e-5)
    assert torch.autograd.grad(seen.score.sum(), x["depth"])[0].abs().sum() > 0


def test_wrong_input_costs_one_sentence():
    for given, text in (
        ({"defenses": ""}, "--defense is empty"),
        ({"defenses": "median,detect(fpr=3)"}, "detect(fpr=3)"),
        ({"fpr": 1.5}, "--fpr 1.5"),
        ({"penalties": (-1.0,)}, "weights of a detector's score"),
        ({"effort": "heroic"}, "--effort heroic: expected one of quick, standard, thorough"),
        ({"penalties": (float("nan"),)}, "--penalty nan"),
        ({"eps": (0.1, 0.2)}, "defend takes one"),
        ({"eps": 0.0}, "--eps 0"),
        ({"steps": 0}, "--steps 0"),
        ({"attack": "deepfool", "steps": None}, "smallest change"),
        ({"attack": "patch"}, "changes its pixels at will"),
        ({"attack": "noise", "steps": None}, "as a column"),
        ({"defenses": "pair-head"}, "--manipulation"),
        ({"defenses": "detect(by=heads)"}, "--manipulation"),
        ({"defenses": "rebuild"}, "--masked"),
    ):
        with pytest.raises(UsageError) as error:
            defend(tiny(), scenes(1), **{**FEW, **given})
        assert text in str(error.value)
