"""Black-box attacks on a map model: what is not attacked is encoded once, and gradients are never asked for."""

import pytest
import torch
from attacks_problems import toy

from rgbdsod.attacks import ATTACKS, Budget
from rgbdsod.attacks.measure import audit

SETTINGS = {
    "square": {"queries": 40},
    "sparse-rs": {"queries": 40},
    "nes": {"steps": 2, "draws": 10},
    "spsa": {"steps": 2, "draws": 10},
    "zoo": {"queries": 60, "coordinates": 10},
    "hopskipjump": {"queries": 120},
    "boundary": {"queries": 120},
}
RADII = {"linf": 0.5, "l2": 20.0, "l0": 100}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("goal", ["untargeted", "hide"])
def test_depth_alone(name, goal, monkeypatch):
    """At a rule that is hard to meet, so that the attack has to work."""
    monkeypatch.setattr(torch.autograd, "grad", None)
    problem, inputs = toy(goal=goal, success="flipped>=0.6" if goal == "untargeted" else "iou<0.01")
    row, network = ATTACKS[name], problem.modules[0]
    threat = {"depth": Budget(row.norms[0], RADII[row.norms[0]])}
    result = row.load()(problem, inputs, threat, **SETTINGS[name])
    audit(result.inputs, inputs, threat)
    assert network.encoded["rgb"] == 1
    assert network.encoded["depth"] == network.fused >= 3
    most = 2 * 11 + 1 if "steps" in SETTINGS[name] else SETTINGS[name]["queries"] + 1
    assert (result.forward <= most).all()
    assert (result.forward > 1).any()
    assert (result.backward == 0).all()
    assert torch.equal(problem.fooled(problem.forward(result.inputs)) & result.fooled, result.fooled)
    if row.aim == "strongest":
        assert (result.loss >= result.start_loss).all()


@pytest.mark.parametrize("name", ["square", "nes", "spsa"])
def test_the_problems_own_objective(name):
    """Judged by the objective, the loss of samples that are never done rises with the queries."""
    problem, inputs = toy(success="mae>0.99")
    row = ATTACKS[name]
    threat = {name: Budget(row.norms[0], 0.05) for name in ("rgb", "depth")}
    settings = {"queries": 100} if name == "square" else {"steps": 5, "draws": 20}
    result = row.load()(problem, inputs, threat, score="objective", **settings)
    assert not result.fooled.any()
    assert (result.loss > result.start_loss).all()
