"""Saliency networks behind defences, under patches that do not know them and patches that do."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from run_models import tiny

from rgbdsod.attacks import Patch, apply_patch
from rgbdsod.datasets import collate, load_dataset
from rgbdsod.defenses import patch_defense
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run import defend_patches
from rgbdsod.run.patch_defense.averages import effect, weaker
from rgbdsod.run.patch_defense.aware.table import FILTER, PLANS
from rgbdsod.run.patch_defense.aware.unseen import Unseen
from rgbdsod.run.patch_defense.behind import Behind
from rgbdsod.run.patch_defense.controls import CONTROLS
from rgbdsod.run.patch_defense.guard_result import failed
from rgbdsod.run.patch_defense.regions import region_measures
from rgbdsod.run.patch_defense.saliency import SaliencySubject

DATA = "scenes:2@48x48#3"
FEW = {"steps": 3, "penalties": (1.0,)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "defend"


@pytest.fixture(scope="module")
def result(folder):
    return defend_patches(tiny(), DATA, defenses="lgs,median", thresholds="both", out=folder, **FEW)


def test_references_are_there_and_every_row_has_its_columns(result):
    assert [row["row"] for row in result.rows] == ["none", "oracle", "random-mask", "lgs", "lgs (paper)", "median"]
    for row in result.rows:
        assert all(row[view]["iou_rest"] is not None for view in (*CONTROLS, "clean", "none", "unaware", "aware"))
        assert row["none"] == result.rows[0]["unaware"]
        assert row["control"] in CONTROLS
        assert row["effect"] == pytest.approx(row[row["control"]]["iou_rest"] - row["aware"]["iou_rest"])
        assert row["effect_low"] - 1e-9 <= row["effect"] <= row["effect_high"] + 1e-9
        assert row[row["control"]]["iou_rest"] == min(row[name]["iou_rest"] for name in CONTROLS)


def test_aware_is_the_worst_for_each_image(result):
    for row in result.samples:
        assert row["aware_held"] <= min(row["unaware_held"], row["alone_held"])
        assert row["aware_held"] == row["aware_iou_rest"]
    names = {name: {"unaware", *PLANS.get(name, FILTER), "unseen 1"} for name in ("lgs", "median")}
    for row in result.samples:
        assert row["aware_attack"] in names.get(row["defense"], {"unaware"})
        assert bool(row["aware_passes"]) == (row["defense"] in names)


def test_attacks_are_tested_too(result):
    for row in result.rows:
        tested = row["defense"] in ("lgs", "median")
        assert (row["check_whole"] is not None) == (row["check_longer"] is not None) == tested
    median = result.rows[-1]
    assert median["check_gradient"] > 0.9
    assert "checks of the attacks" in result.summary()
    assert failed({**median, "check_controls": 0.1, "check_whole": 0.5, "check_gradient": 0.1, "check_longer": 0.1})
    good = {"check_controls": 0.0, "check_whole": 1.0, "check_gradient": 0.99, "check_longer": 0.0}
    assert not failed({**median, **good})


def test_masks_are_compared_with_the_patch(result):
    rows = {row["row"]: row for row in result.rows}
    assert (rows["oracle"]["smiou"], rows["oracle"]["nmiou"], rows["oracle"]["clean_masked"]) == (1, 1, 0)
    assert rows["random-mask"]["smiou"] < 0.2
    assert rows["lgs"]["clean_masked"] < rows["lgs (paper)"]["clean_masked"]
    assert rows["lgs"]["clean_masked"] <= 0.05  # at most 0.01 of the images that set the threshold
    assert rows["median"]["smiou"] is rows["median"]["clean_masked"] is None


def test_the_unaware_column_follows_from_the_saved_patches(result, folder):
    model, data = tiny(), load_dataset(DATA)
    for place, name in enumerate(data.ids):
        batch = collate([data[place]])
        patch = Patch.load(folder / "patches" / name)
        clean = {key: batch[key] for key in ("rgb", "depth")}
        placed = apply_patch(clean, patch, torch.tensor([patch.facts["place"]]))
        inputs = patch_defense("median")(placed.inputs).inputs
        maps = model.predict(**inputs).numpy()
        found = region_measures(maps, batch["mask"][:, 0].numpy() > 0.5, placed.mask[:, 0].numpy())[0]
        row = next(row for row in result.samples if row["row"] == "median" and row["id"] == name)
        assert found["iou_rest"] == pytest.approx(row["unaware_iou_rest"], abs=1e-6)
        assert found["mae_far"] == pytest.approx(row["unaware_mae_far"], abs=1e-3)


def test_the_aware_column_follows_from_its_patches(result, folder):
    model, data, checked = tiny(), load_dataset(DATA), 0
    for row in (row for row in result.samples if row["row"] == "lgs (paper)"):
        path = folder / "patches" / row["id"] / "lgs-paper"
        assert path.is_dir() == (row["aware_attack"] != "unaware")
        if path.is_dir():
            batch, patch = collate([data[data.ids.index(row["id"])]]), Patch.load(path)
            clean = {key: batch[key] for key in ("rgb", "depth")}
            placed = apply_patch(clean, patch, torch.tensor([patch.facts["place"]]))
            maps = model.predict(**patch_defense("lgs")(placed.inputs).inputs).numpy()
            found = region_measures(maps, batch["mask"][:, 0].numpy() > 0.5, placed.mask[:, 0].numpy())[0]
            assert found["iou_rest"] == pytest.approx(row["aware_iou_rest"], abs=1e-6)
            checked += 1
    assert checked


def test_batches_change_nothing_and_a_finished_run_is_read(result, folder):
    again = defend_patches(tiny(), DATA, defenses="lgs,median", thresholds="both", out=folder, **FEW)
    assert again.outcome.reused
    assert again.metrics == result.metrics
    single = defend_patches(tiny(), DATA, defenses="median", batch=1, **FEW)
    both = [row for row in result.samples if row["defense"] in ("none", "oracle", "random-mask", "median")]
    for one, other in zip(single.samples, sorted(both, key=lambda row: row["id"]), strict=True):
        assert {key: value for key, value in one.items() if key != "seconds"} == pytest.approx(
            {key: value for key, value in other.items() if key != "seconds"}, abs=1e-6
        )


def test_a_card_of_depth_has_two_controls_and_nobody_need_be_aware():
    found = defend_patches(
        tiny(), "scenes:1@48x48#3", defenses="lgs", thresholds="paper", aware=False, modality="depth", **FEW
    )
    row = found.rows[-1]
    assert "aware" not in row
    assert "crop" not in row
    assert {"grey", "noise"} <= set(row)
    assert "aware" in found.summary().splitlines()[0]


def test_an_attack_that_is_weaker_is_marked():
    rows = [{"alone_held": 0.5, "unaware_held": 0.4}, {"alone_held": 0.4, "unaware_held": 0.4}]
    assert weaker(rows)
    assert not weaker([{"alone_held": 0.4, "unaware_held": 0.4}])
    assert not weaker([{"unaware_held": 0.4}])
    assert effect(0.9, 0.3, {"grey": 0.8, "noise": 0.7}) == {"control": "noise", "effect": pytest.approx(0.4)}
    assert effect(0.9, 0.3, {})["effect"] is None


def test_the_gradient_goes_through_the_defence():
    data = load_dataset("scenes:1@48x48#3")
    subject = SaliencySubject(tiny(), [data[0]], "hide")
    image = subject.inputs["rgb"].clone().requires_grad_()
    inputs = {"rgb": image, "depth": subject.inputs["depth"]}
    for name, aim in (("median", None), ("lgs", Unseen(1.0))):
        problem = Behind(subject.problem, patch_defense(name), aim=aim)
        outputs = problem.forward(inputs)
        gradient = torch.autograd.grad(problem.loss(outputs).sum(), image)[0]
        assert bool(gradient.abs().sum() > 0)
        with torch.no_grad():
            true = subject.problem.forward(patch_defense(name)(inputs).inputs)
        assert torch.allclose(outputs.outputs, true, atol=1e-5)
        assert torch.allclose(problem.track(outputs), subject.problem.loss(true), atol=1e-5)
    twice = {name: value.repeat(2, 1, 1, 1) for name, value in inputs.items()}
    alone = problem.select(torch.tensor([0, 0])).forward(twice)
    assert len(alone.score) == 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Flicker(Filter):
    """Other brightness at every call."""

    calls: list = field(default_factory=list)

    name = "flicker"
    random = True

    def filter(self, image):
        self.calls.append(len(image))
        return image * (0.9 + 0.1 / (1 + len(self.calls) % 2))


def test_a_gradient_through_a_random_defence_of_a_user_is_a_mean_of_draws():
    counts = []
    for draws in (1, 4):
        flicker = Flicker()
        result = defend_patches(
            tiny(), "scenes:1@48x48#3", defenses=[flicker], expectation=draws, modality="rgb", steps=2
        )
        assert [row["row"] for row in result.rows] == ["none", "oracle", "random-mask", "flicker"]
        assert result.metrics["warnings"] == []
        counts.append(len(flicker.calls))
    assert counts[1] >= counts[0] + 2 * 3


def test_regions():
    truth, hidden = np.zeros((1, 40, 40), bool), np.zeros((1, 40, 40), bool)
    truth[:, :20], hidden[:, 30:, 30:] = True, True
    maps = np.where(truth | hidden, 255, 0).astype(np.uint8)
    found = region_measures(maps, truth, hidden)[0]
    assert found["iou_all"] == 800 / 900
    assert found["iou_rest"] == found["iou_far"] == 1
    assert found["mae_rest"] == 0
    assert region_measures(maps, truth, np.ones_like(hidden))[0]["iou_rest"] is None


WRONG = [
    ({"defenses": "jedy"}, 'did you mean "jedi"'),
    ({"thresholds": "best"}, "--thresholds best"),
    ({"goal": "paint"}, '--goal "paint"'),
    ({"modality": "thermal"}, "--modality thermal"),
    ({"where": "left"}, '--where "left"'),
    ({"size": "150%"}, "150%"),
    ({"steps": 0}, "--steps 0"),
    ({"penalties": (-1.0,)}, "--penalty -1"),
    ({"share": 2.0}, "--share 2"),
    ({"colour": "red"}, 'no setting "colour"'),
]


@pytest.mark.parametrize(("settings", "text"), WRONG)
def test_wrong_settings_cost_one_sentence(settings, text):
    with pytest.raises(UsageError, match=r".") as caught:
        defend_patches(tiny(), DATA, **settings)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_without_a_place_are_named():
    with pytest.raises(DataError, match="no image has a place"):
        defend_patches(tiny(), DATA, defenses="none", where="on-object", size="60%", steps=1)
