"""Radii and modalities as users give them."""

import pytest

from rgbdsod.errors import UsageError
from rgbdsod.run.threats import all_radii, attacked_inputs, parse_eps, show_eps

INPUTS = ("rgb", "depth")


def test_fractions_lists_and_back():
    assert parse_eps("8/255") == (8 / 255,)
    assert parse_eps("2/255, 0.5,1") == (2 / 255, 0.5, 1.0)
    assert [show_eps(value) for value in (8 / 255, 0.5, 0.03, 0, 300)] == ["8/255", "0.5", "0.03", "0", "300"]


@pytest.mark.parametrize("text", ["eight", "", "8/0", "1,,2", "8/255/3"])
def test_what_is_no_number(text):
    with pytest.raises(UsageError, match="expected a number, or a fraction such as 8/255"):
        parse_eps(text)


@pytest.mark.parametrize(
    ("modality", "eps", "expected"),
    [
        (None, None, INPUTS),
        (None, {"depth": 0.1}, ("depth",)),
        ("both", {"depth": 0.1}, INPUTS),
        ("joint", None, INPUTS),
        ("rgb", 0.1, ("rgb",)),
    ],
)
def test_which_inputs_are_attacked(modality, eps, expected):
    assert attacked_inputs(modality, INPUTS, "bbsnet", eps) == expected


def test_inputs_that_do_not_fit():
    with pytest.raises(UsageError) as error:
        attacked_inputs("thermal", INPUTS, "bbsnet")
    assert str(error.value) == "--modality thermal: bbsnet has inputs rgb, depth"
    with pytest.raises(UsageError, match="--eps-depth has no effect: --modality rgb leaves depth untouched"):
        attacked_inputs("rgb", INPUTS, "bbsnet", {"rgb": 0.1, "depth": 0.1})
    with pytest.raises(UsageError, match="--eps-hha: bbsnet has inputs rgb, depth"):
        attacked_inputs(None, INPUTS, "bbsnet", {"hha": 0.1})


def test_one_set_of_radii_for_each_value():
    assert all_radii(INPUTS, None, "linf") == [{"rgb": 8 / 255, "depth": 8 / 255}]
    assert all_radii(("depth",), [0.1, 0.2], "linf") == [{"depth": 0.1}, {"depth": 0.2}]
    assert all_radii(INPUTS, {"rgb": (0.1, 0.2), "depth": 0.3}, "linf") == [
        {"rgb": 0.1, "depth": 0.3},
        {"rgb": 0.2, "depth": 0.3},
    ]
    assert all_radii(INPUTS, {"rgb": 0.1, "depth": 0}, "linf") == [{"rgb": 0.1, "depth": 0.0}]


@pytest.mark.parametrize(
    ("eps", "norm", "message"),
    [
        (8, "linf", r"--eps 8 is larger than the whole range \[0, 1\]; did you mean 8/255\?"),
        (
            {"rgb": 0.1, "depth": 16},
            "linf",
            r"--eps-depth 16 is larger than the whole range \[0, 1\]; did you mean 16/255\?",
        ),
        (-0.1, "linf", "--eps -0.1 is not a radius"),
        (float("nan"), "linf", "is not a radius"),
        (None, "l2", "--norm l2 has no usual radius; give --eps"),
        (0.1, "l3", 'no norm "l3"; norms are linf, l2, l1, l0'),
        ([], "linf", "--eps is empty"),
        ({"depth": 0.1}, "linf", "rgb is attacked too, but has no radius; pass --eps-rgb, or --eps for all inputs"),
        ({"rgb": [0.1, 0.2], "depth": [0.1, 0.2, 0.3]}, "linf", "different lengths"),
        (1.5, "l0", "whole number"),
    ],
)
def test_radii_that_cannot_be_meant(eps, norm, message):
    with pytest.raises(UsageError, match=message):
        all_radii(INPUTS, eps, norm)
