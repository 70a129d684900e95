"""Attacks that know a defence, against defences of which the answer is known."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
import torch
from run_models import scenes, tiny

from rgbdsod.attacks import Bpda, Budget, pgd
from rgbdsod.defenses import Chain, compose
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.metrics import MaskCache
from rgbdsod.models import load_model
from rgbdsod.run import defend
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.defense.aware.attacker import Attacker
from rgbdsod.run.defense.aware.campaign import Campaign
from rgbdsod.run.defense.aware.problems import Gated
from rgbdsod.run.defense.choice import DefenseChoice
from rgbdsod.run.defense.front import Front, gated
from rgbdsod.run.defense.verdict import Judge
from rgbdsod.run.modeling import inputs_of

CODED = compose("bits(bits=3,on=depth)")
FEW = {"modality": "depth", "eps": 16 / 255, "steps": 3}


def campaign(chain, effort="standard", samples=None, eps=16 / 255, steps=3, **choice):
    """All attacks on a few images behind a chain, done."""
    model, samples = tiny(), [scenes(1)[0]] if samples is None else samples
    settings = AttackSettings(modality="depth", eps=eps, parameters={"steps": steps})
    piece = AttackPiece(model, samples, AttackPlan.of(settings, model.inputs, model.name), MaskCache(), weighted=False)
    masks = inputs_of(samples, model.inputs, torch.device("cpu"))["mask"]
    choice = DefenseChoice(effort=effort, weights=(1.0,), expectation=2, draws=2, **choice)
    attacker = Attacker(piece, masks, choice)
    judge = Judge(model, attacker.ids, masks >= 0.5, 2)
    done = Campaign(attacker, chain.in_front_of(model), choice, judge, attacker.unaware(), {"clean": attacker.clean})
    done.run()
    return done


def levels(value, eps):
    """One value for each code of three bits that is in reach."""
    reach = np.clip(value + np.linspace(-eps, eps, 41), 0, 1)
    return list({round(one * 7): one for one in reach}.values())


def mean(verdicts):
    return float(np.mean([verdict.iou for verdict in verdicts]))


@dataclass(frozen=True, eq=False, kw_only=True)
class Masked(Filter):
    """Rounds so finely that it changes next to nothing, and hides the slope; it says that it is exact."""

    name = "masked"

    def filter(self, image):
        """Rounded."""
        return (image * 64).round() / 64 + 0 * image


@dataclass(frozen=True, eq=False, kw_only=True)
class Lying(Filter):
    """Leaves images alone, and has a stand-in that leads the wrong way."""

    name = "lying"
    differentiable = "bpda"

    def filter(self, image):
        """The image."""
        return image.clone()

    def filter_softly(self, image):
        """Its negative."""
        return Bpda(self.filter, lambda x: 1 - x)(image)


LYING = Chain(name="lying", parts=(Lying(),))


@pytest.fixture(scope="module")
def lying():
    data = scenes(2)
    return campaign(LYING, samples=[data[0], data[1]])


@dataclass(frozen=True, eq=False, kw_only=True)
class Gullible(Switch):
    """Accuses RGB where every fourth pixel of depth is bright, so firmly that the soft choice has no slope."""

    name = "gullible"
    sharpness = 1e4
    suspects = ("rgb",)

    def accusations(self, inputs):
        """How much brighter these pixels are."""
        depth = inputs["depth"]
        return depth[..., ::2, ::2].mean((2, 3)) - depth.mean((2, 3))


def test_hidden_gradients_are_marked_and_the_identity_breaks_them():
    masked = Chain(name="masked", parts=(Masked(),))
    found = defend(tiny(), scenes(1), defenses=["none", masked], effort="quick", search=True, queries=20, **FEW)
    row = next(row for row in found.rows if row["row"] == "masked")
    assert row["check_gradient"] < 0.5
    assert any("said to be exact" in text for text in found.warnings)
    broken = campaign(masked)
    assert mean(broken.worst.verdicts) < row["alone"]["iou"] - 0.05
    assert mean(broken.alone.verdicts) < row["alone"]["iou"] - 0.05


def test_a_stand_in_that_misleads(lying):
    quick = campaign(LYING, "quick")
    assert lying.alone.verdicts[0].iou < quick.alone.verdicts[0].iou - 0.1


def test_an_image_is_attacked_alike_in_any_batch(lying):
    alone = campaign(LYING, samples=[scenes(2)[1]])
    assert alone.worst.names == lying.worst.names[1:]
    assert alone.worst.verdicts[0] == pytest.approx(lying.worst.verdicts[1], abs=1e-6)


def test_a_switch_that_drops_the_input_nobody_touched():
    gullible = Chain(name="gullible", parts=(Gullible(threshold=0.02),))
    quick, whole = (campaign(gullible, effort) for effort in ("quick", "standard"))
    assert whole.worst.verdicts[0].iou < quick.worst.verdicts[0].iou - 0.1
    assert (whole.worst.verdicts[0].dropped, quick.worst.verdicts[0].dropped) == (1, 0)


def test_the_worst_there_is():
    places = ((16, 14), (16, 16), (18, 16), (14, 18))
    sample = scenes(1)[0]
    free = np.zeros_like(sample.valid)
    free[tuple(zip(*places, strict=True))] = True
    found = campaign(CODED, samples=[replace(sample, valid=free)], eps=0.3)
    every = torch.tensor(list(product(*(levels(float(sample.depth[at]), 0.3) for at in places))))
    pictures = {name: value.repeat(len(every), 1, 1, 1) for name, value in found.attacker.clean.items()}
    for at, (row, column) in enumerate(places):
        pictures["depth"][:, 0, row, column] = every[:, at]
    truth = found.judge.truth.expand(len(every), -1, -1, -1)
    judge = Judge(tiny(), [str(at) for at in range(len(every))], truth, 1)
    standing = [verdict.iou for verdict in judge(CODED, pictures)]
    assert len(every) > 200
    assert found.worst.verdicts[0].iou == pytest.approx(min(standing), abs=1e-9)
    assert min(standing) < max(standing)


def test_the_draws_that_choose_do_not_judge():
    moved = campaign(compose("resize-pad"), "quick", steps=1)
    inputs = moved.worst.inputs
    assert moved.verdicts(moved.worst) == moved.judge(moved.chain, inputs)
    assert moved.worst.verdicts == moved.judge(moved.chain, inputs, purpose="rivalry")
    assert moved.verdicts(moved.worst) != moved.worst.verdicts


def test_a_switch_inside_the_network_is_steered():
    model, data = load_model("d3net").at((64, 64)), scenes(1)
    batch = inputs_of([data[0]], model.inputs, torch.device("cpu"))
    inputs = {name: batch[name] for name in model.inputs}
    front = Front(model, compose("none"), data.ids, "x")
    assert gated(model)
    assert not gated(tiny())
    with torch.no_grad():
        shut, opened = (front.at_gate(inputs, (32, 32), shut=way) for way in (True, False))
    assert torch.equal(shut.distance, -opened.distance)
    assert torch.allclose(shut.true, model(**inputs), atol=1e-5)
    found = pgd(Gated(front, batch["mask"], shut=bool(shut.distance > 0)), inputs, {"depth": Budget(eps=0.2)}, steps=5,
                keep="last")  # fmt: skip
    after = front.at_gate(found.inputs, (32, 32), shut=bool(shut.distance > 0)).distance.detach()
    assert float(after) < abs(float(shut.distance))
