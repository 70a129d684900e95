"""Defences that need their victim, as runs line them up."""

import pytest
from patch_victims import detector_images

from rgbdsod import load_model
from rgbdsod.errors import UsageError
from rgbdsod.models import load_detector
from rgbdsod.run import evaluate_patches
from rgbdsod.run.patch_defense.choice import GuardChoice, PatchChoice
from rgbdsod.run.patch_defense.lineup import line_up

OF_IMAGES = PatchChoice(modality="image")


@pytest.fixture(scope="module")
def detector():
    return load_detector("fcos.tiny")


@pytest.fixture(scope="module")
def clean():
    return {"image": detector_images(4)[0]}


@pytest.mark.parametrize("thresholds", ["calibrated", "paper", "both"])
def test_rows_of_a_detector(detector, clean, thresholds):
    names = ("zmask", "fnc", "adyolo", "frame", "patchzero")
    choice = GuardChoice(defenses=names, thresholds=thresholds, patch=OF_IMAGES)
    assert choice.needs_clean
    found = [(entry.name, entry.thresholds) for entry in line_up(choice, clean, detector)]
    usual = {"calibrated": ["calibrated"], "paper": ["paper"], "both": ["calibrated", "paper"]}[thresholds]
    expected = [("zmask", "calibrated"), ("fnc", "")]  # zmask has no threshold without clean images
    expected += [("adyolo", kind) for kind in usual]
    assert found == [*expected, ("frame", ""), *(("patchzero", kind) for kind in usual)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("depurator", r"fcos\.tiny has not both inputs; leave it out"),
        ("pair-head", "train with --manipulation 0.1 and pass --weights RUN/checkpoints/best.pt"),
    ],
)
def test_what_a_detector_cannot_have(detector, clean, name, message):
    with pytest.raises(UsageError, match=message):
        line_up(GuardChoice(defenses=(name,), patch=OF_IMAGES), clean, detector)


@pytest.mark.parametrize("name", ["adyolo", "frame", "pair-head"])
def test_what_a_built_in_network_cannot_have(name):
    with pytest.raises(UsageError, match=r"leave it out|there is none for bbsnet"):
        line_up(GuardChoice(defenses=(name,)), None, load_model("bbsnet"))


def test_a_run_measures_the_changed_detector(detector):
    """Nothing is done to the images, so a change of the clean scores is the changed detector's."""
    result = evaluate_patches(detector, n_samples=2, steps=1, defenses=("fnc",), aware=False)
    held = {(row["row"], row["id"]): row["clean_held"] for row in result.samples}
    names = {name for _, name in held}
    assert len(names) == 2
    assert all(abs(held["fnc", name] - held["none", name]) > 1e-3 for name in names)
