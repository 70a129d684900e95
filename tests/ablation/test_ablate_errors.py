"""What an ablation refuses, before anything is trained."""

import pytest

from rgbdsod.errors import UsageError
from rgbdsod.run import Grid, Schooling
from rgbdsod.run.ablation.trainings import TRAININGS, training_scheme


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fusion": ("mid",)}, 'bbsnet has fusion early, feature, multistage.*got "mid"'),
        ({"model": ("bbsnett",)}, 'no model "bbsnett"; did you mean "bbsnet"'),
        ({"training": ("itcc",)}, 'no training "itcc"; did you mean "itc"'),
        ({"training": ("plain:2",)}, '"plain" takes no value'),
        ({"training": ("dropout:2",)}, "expected a value above 0, such as dropout:0.3"),
        ({"training": ("itc",), "fusion": ("early",)}, "--training itc needs two encoders, which none of fusion early"),
        ({"training": ("dropout",), "fusion": ("rgb",)}, "needs the input rgb and depth"),
        ({"seeds": (1, 1)}, "--seeds has 1 twice"),
        ({"seeds": ()}, "--seeds is empty"),
        ({"modality": ("hha",)}, "--modality hha: an ablation attacks rgb, depth, both"),
        ({"attacks": ("apgd-t",)}, 'attack "apgd-t" needs class scores'),
        ({"eps": (8.0,)}, "did you mean 8/255"),
        ({"schooling": Schooling(size=(65, 64))}, "bbsnet works at .*multiples of 32.*65x64"),
        ({"schooling": Schooling(iterations=0)}, "0 iterations: nothing to train"),
        ({"schooling": Schooling(lr=3.0)}, "--lr 3"),
    ],
)
def test_one_sentence(changes, message):
    with pytest.raises(UsageError, match=message):
        Grid(**changes)


def test_trainings_that_a_design_cannot_have_are_left_out():
    found = Grid(training=("plain", "itc", "dropout"), seeds=(0,)).networks
    by_fusion = {name: [own.training for own in found if own.fusion == name] for name in ("rgb", "early", "feature")}
    assert by_fusion == {"rgb": ["plain"], "early": ["plain", "dropout"], "feature": ["plain", "itc", "dropout"]}


def test_d3net_has_two_encoders_in_early_fusion():
    assert "itc" in [
        own.training for own in Grid(model=("d3net",), fusion=("early",), training=("plain", "itc")).networks
    ]


@pytest.mark.parametrize("name", TRAININGS)
def test_every_scheme_has_arguments_and_a_usual_value(name):
    scheme = training_scheme(name)
    (part,) = scheme.parts
    assert part.name == name and (part.value is None) == (name == "plain")
    assert bool(scheme.arguments()) == (name != "plain")


def test_parts_of_a_scheme_are_combined():
    scheme = training_scheme("adversarial-worst:2/255+dropout:0.2+itc+itm:0.5")
    found = scheme.arguments()
    assert set(found) == {"adversarial", "modality_dropout", "alignment"}
    assert found["modality_dropout"] == 0.2
    assert (found["alignment"].itc, found["alignment"].pool, found["alignment"].itm) == (0.1, "mask", 0.5)
    assert found["adversarial"].sources == "worst"
    assert {budget.eps for budget in found["adversarial"].threat.values()} == {2 / 255}
    assert scheme.streams and scheme.inputs == ("rgb", "depth")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain+itc", "stands alone"),
        ("adversarial-rgb+trades", "adversarial can be there once"),
        ("itc:0.1+itc:0.2", "itc can be there once"),
        ("dropout+drop", 'no training "drop"'),
        ("trades+", 'no training ""'),
        ("trades:2", "above 0, such as trades:"),
    ],
)
def test_parts_that_cannot_be_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        training_scheme(text)
