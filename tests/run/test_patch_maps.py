"""Cross-modal maps on one network: the table, its refusal, patches that know a map, and the acceptance figures."""

import copy

import numpy as np
import pytest
import torch
from run_models import tiny

from rgbdsod.attacks import Budget, adversarial_patch
from rgbdsod.datasets import load_dataset
from rgbdsod.defenses.patch.baselines import Energy
from rgbdsod.defenses.patch.cross.features import BASELINES, FEATURES
from rgbdsod.errors import UsageError
from rgbdsod.models import load_model
from rgbdsod.run import patch_maps
from rgbdsod.run.patch_defense.saliency import SaliencySubject
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES
from rgbdsod.run.patch_maps.decisions import apart, inside_out, judged
from rgbdsod.run.patch_maps.hushed import Hushed, Moment, influential, shown
from rgbdsod.run.patch_maps.ranking import pixel_auroc
from rgbdsod.run.patch_maps.sampling import INSIDE, OUTSIDE, SCALE
from rgbdsod.run.patch_maps.table import COLUMNS, DECISION, LEFT_OUT, check_complete

DATA = "scenes:2@48x48#3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "maps"


@pytest.fixture(scope="module")
def result(folder):
    return patch_maps(tiny(), DATA, calibration="scenes:2@48x48#9", steps=2, grid=2, penalties=(1.0,), out=folder)


def test_the_table_has_maps_baselines_decisions_and_stickers(result):
    assert [row["map"] for row in result.rows] == [*FEATURES, DECISION, LEFT_OUT]
    assert [row["map"] for row in result.rows if row["baseline"]] == list(BASELINES)
    for row in result.rows:
        assert 0 <= row["apart"] <= 1
        assert all(0 <= row["auroc"][column] <= 1 for column in COLUMNS)
    assert set(result.metrics["attribution"]) == set(FAMILIES)
    text = result.summary().splitlines()
    assert text[0].split()[:3] == ["AUROC", "against", "M"]
    assert len({len(line) for line in text[1:13]}) <= 3
    assert result.document()["maps"] == result.rows
    assert "2 images say little of others" in result.warnings


def test_the_same_call_reads_the_folder(result, folder):
    again = patch_maps(tiny(), DATA, calibration="scenes:2@48x48#9", steps=2, grid=2, penalties=(1.0,), out=folder)
    assert again.outcome.reused
    assert again.summary() == result.summary()


def test_no_table_without_baselines_and_stickers(result):
    check_complete(result.metrics)
    for name in BASELINES:
        found = copy.deepcopy(result.metrics)
        found["maps"] = [row for row in found["maps"] if row["map"] != name]
        with pytest.raises(UsageError, match=f'no "{name}", and without baselines and stickers'):
            check_complete(found)
    for name in CONTROLS:
        found = copy.deepcopy(result.metrics)
        found["columns"].remove(name)
        with pytest.raises(UsageError, match=f'no "{name}"'):
            check_complete(found)
        found = copy.deepcopy(result.metrics)
        del found["harm"][name]
        with pytest.raises(UsageError, match=f'no "{name}"'):
            check_complete(found)


def test_auroc_by_all_pairs():
    values = np.array([3, 1, 2, 2, 5, 2.0])
    truth = np.array([True, False, True, False, True, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in values[truth] for b in values[~truth]]
    assert pixel_auroc(values, truth) == pytest.approx(np.mean(pairs))
    assert pixel_auroc(values, np.zeros(6, bool)) is None


def test_a_family_that_is_left_out_is_judged_by_the_others():
    """Depth patches differ in one feature, the others in another: who has not seen one does not find it."""
    draw = np.random.default_rng(0)
    columns = {}
    for name in (*CONTROLS, *FAMILIES):
        pixels = draw.integers(0, 100, (4, INSIDE + OUTSIDE, len(FEATURES)))
        if name in FAMILIES:
            pixels[:, :INSIDE, FEATURES.index("influence depth" if name == "depth" else "influence rgb")] += SCALE
        columns[name] = pixels
    seen, left = judged(columns), judged(columns, "depth")
    assert all(inside_out(seen[name]) > 0.95 for name in FAMILIES)
    assert inside_out(left["depth"]) < 0.7
    assert inside_out(left["rgb noise"]) > 0.95
    assert 0.4 < inside_out(seen["sticker"]) < 0.6
    assert apart(seen["rgb noise"], seen) > 0.9
    assert apart(seen["sticker"], seen) == pytest.approx(0.5, abs=0.05)


@pytest.fixture(scope="module")
def subject():
    data = load_dataset(DATA)
    return SaliencySubject(tiny(), [data[at] for at in range(2)], "degrade")


def test_a_patch_that_knows_the_edges_has_fewer_of_them(subject):
    energy = Energy()
    price = shown(lambda inputs: energy.evidence(inputs["rgb"]), 0.1)
    found = []
    for weight in (0.0, 10.0):
        problem = Hushed(subject.problem, price, weight, subject.ids)
        made = adversarial_patch(
            problem, subject.inputs, {"rgb": Budget(eps=1.0)}, steps=15, step_size=0.05, where="off-object",
            sample_ids=subject.ids,
        )  # fmt: skip
        assert made.placed.all()
        found.append(float(energy.evidence(made.inputs["rgb"])[made.mask].mean()))
    assert found[1] < 0.8 * found[0]


def test_the_price_of_influence_is_drawn_by_sample_and_step_and_has_a_gradient(subject):
    price = influential(tiny(), 3, 1e-3, 0)
    hidden = torch.zeros(2, 1, 48, 48, dtype=torch.bool)
    hidden[..., 4:20, 6:22] = True
    image = subject.inputs["rgb"].clone().requires_grad_()
    whole = price(Moment({**subject.inputs, "rgb": image}, hidden, subject.ids, 0.5))
    assert whole.shape == (2,)
    assert torch.autograd.grad(whole.sum(), image)[0].abs().sum() > 0
    alone = price(Moment({name: value[1:] for name, value in subject.inputs.items()}, hidden[1:], subject.ids[1:], 0.5))
    torch.testing.assert_close(alone[0], whole.detach()[1], rtol=1e-3, atol=1e-5)
    other = price(Moment(subject.inputs, hidden, subject.ids, 0.6))
    assert not torch.allclose(other, whole.detach())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"goal": "ghost"}, "expected one of hide, degrade"),
        ({"penalties": (0.0,)}, "weights of a map are above 0"),
        ({"grid": 1}, "2 windows or more"),
        ({"share": 1.0}, "between 0 and 1"),
        ({"modality": "rgb"}, "part of the families"),
        ({"size": "200%"}, "200%"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(UsageError, match=message):
        patch_maps(tiny(), DATA, **settings)


@pytest.mark.slow
def test_acceptance():
    """C4 tells a patch from a benign sticker and names the modality, on generated scenes."""
    found = patch_maps(load_model("bbsnet").at((64, 64)), "scenes:4@64x64#1048600", steps=20, grid=5, penalties=())
    influence = next(row for row in found.rows if row["map"] == "influence rgb")["auroc"]
    assert influence["sticker"] < 0.75
    assert influence["rgb noise"] > 0.85
    attribution = found.metrics["attribution"]
    single = [attribution[name]["named"] for name in ("rgb noise", "rgb smooth", "depth")]
    assert np.mean(single) >= 0.8
