"""Figures as inline SVG."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from rgbdsod.report import figures

LINES = {"clean": ([0.0, 0.5, 1.0], [1.0, 0.9, 0.2]), "attacked": ([0.0, 0.5, 1.0], [0.8, 0.5, 0.1])}


def _all() -> dict[str, str]:
    return {
        "curves": figures.curves("a", 'P & R of "x"', LINES, x="recall", y="precision"),
        "damage": figures.damage("b", "damage", ["one", "two"], [0.9, 0.8], [0.2, 0.7]),
        "many": figures.damage("c", "damage", [str(i) for i in range(90)], [0.9] * 90, [0.2] * 90),
        "history": figures.history("d", "loss", {"loss": ([1, 2, 3], [3.0, 2.0, 1.0])}, x="iteration", y="loss"),
    }


@pytest.fixture(scope="module")
def svgs() -> dict[str, str]:
    return _all()


@pytest.mark.parametrize("name", ["curves", "damage", "many", "history"])
def test_svg_is_well_formed_and_wears_the_pages_colours(svgs: dict[str, str], name: str) -> None:
    text = svgs[name]
    root = ET.fromstring(text)
    assert root.get("aria-label")
    assert not re.search(r"#[0-9a-f]{6}\b", text), "a colour that does not follow light and dark"
    assert "font-family" not in text
    assert "<style" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:href=\"#|url\(#)([\w-]+)", text)) <= set(ids)


def test_title_is_escaped(svgs: dict[str, str]) -> None:
    assert ET.fromstring(svgs["curves"]).get("aria-label") == 'P & R of "x"'


def test_few_images_are_named_and_many_counted(svgs: dict[str, str]) -> None:
    assert ">one</text>" in svgs["damage"]
    assert "90 images" in svgs["many"]
    assert ">17</text>" not in svgs["many"]


def test_thousands_of_images_stay_a_small_figure() -> None:
    many = 3000
    text = figures.damage("c", "damage", [str(i) for i in range(many)], [0.9] * many, [i / many for i in range(many)])
    assert len(text) < 100_000


def test_the_same_data_give_the_same_bytes() -> None:
    assert _all() == _all()


def test_the_users_matplotlib_is_left_alone(svgs: dict[str, str]) -> None:
    with mpl.rc_context({"axes.grid": False, "font.size": 31.0, "lines.linewidth": 7.0}):
        again = _all()
        assert mpl.rcParams["font.size"] == 31.0
    assert again == svgs
