"""What defences against patches refuse, and how they say it."""

import pytest
import torch

from rgbdsod.defenses import PATCH_DEFENSES, fill, patch_defense
from rgbdsod.errors import UsageError

IMAGE = torch.rand(1, 3, 32, 32)
FREE = [row.name for row in PATCH_DEFENSES if not row.needs]


@pytest.mark.parametrize("name", FREE)
def test_images_of_another_kind(name):
    defence = patch_defense(name)
    for bad, message in (
        (torch.rand(1, 4, 32, 32), r"\(1, 4, 32, 32\); pass at least one image"),
        (torch.rand(3, 32, 32), "pass at least one image"),
        (torch.rand(0, 3, 32, 32), "pass at least one image"),
        ((IMAGE * 255).byte(), "pass floats"),
    ):
        with pytest.raises(UsageError, match=message):
            defence({"rgb": bad})


@pytest.mark.parametrize("name", FREE)
def test_calibrating_on_nothing(name):
    with pytest.raises(UsageError, match="pass at least one image"):
        patch_defense(name).calibrate({"rgb": IMAGE[:0]})
    with pytest.raises(UsageError, match="the inputs are none"):
        patch_defense(name).calibrate({})


@pytest.mark.parametrize("name", ["lgs", "jedi", "pad-lite", "median"])
def test_windows_larger_than_the_image(name):
    settings = {"window": 11} if name == "median" else {}
    with pytest.raises(UsageError, match=r"windows of \d+ pixels, and the image has 9x10"):
        patch_defense(name, settings)({"image": torch.rand(1, 3, 9, 10)})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("jpeg", {"quality": 0}, "pass 1 to 100"),
        ("bits", {"bits": 17}, "pass 1 to 16"),
        ("median", {"window": 4}, "odd"),
        ("tv", {"weight": 0}, "above 0"),
        ("lgs", {"overlap": 8}, "at most half a block"),
        ("jedi", {"fill": "magic"}, 'no fill "magic"; fills are mean'),
        ("jedi", {"smallest": 1.5}, "a share of the image"),
        ("pad-lite", {"percentile": 1.2}, "pass shares"),
        ("lgs", {"strength": 2}, 'no setting "strength"; its settings are on, threshold'),
        ("lsg", {}, 'did you mean "lgs"'),
    ],
)
def test_settings(name, settings, message):
    with pytest.raises(UsageError, match=message):
        patch_defense(name, settings)


def test_inputs_that_are_not_there():
    with pytest.raises(UsageError, match='works on "hha" but the inputs are rgb'):
        patch_defense("median", on=("hha",))({"rgb": IMAGE})
    with pytest.raises(UsageError, match='needs an "rgb" or "image" input'):
        patch_defense("lgs")({"depth": IMAGE[:, :1]})
    with pytest.raises(UsageError, match="of one size"):
        patch_defense("median")({"rgb": IMAGE, "depth": torch.rand(1, 1, 16, 16)})


def test_references_without_truth():
    with pytest.raises(UsageError, match="needs the true masks"):
        patch_defense("oracle")({"rgb": IMAGE})
    with pytest.raises(UsageError, match="one per sample"):
        patch_defense("random-mask").given(torch.ones(2, 1, 4, 4), ["a"])
    with pytest.raises(UsageError, match="pass \\(B,1,H,W\\) of their size"):
        patch_defense("oracle").given(torch.ones(1, 1, 8, 8))({"rgb": IMAGE})


def test_fills_and_shares():
    with pytest.raises(UsageError, match='no fill "white"'):
        fill(IMAGE, torch.zeros(1, 1, 32, 32), "white")
    with pytest.raises(UsageError, match=r"such as 0\.01"):
        patch_defense("lgs").calibrate({"rgb": IMAGE}, share=1.0)
