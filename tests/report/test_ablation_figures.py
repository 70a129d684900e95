"""The figures of an ablation: in the page's colours, and as files for a document."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from report_ablation import ablation_document

from rgbdsod.errors import DataError
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.graphs import Drawn, drawn_figures
from rgbdsod.report.ablation.standalone import standalone, write_figures
from rgbdsod.report.ablation.styles import styles

SMALL: dict[str, Any] = {"models": ("bbsnet",), "trainings": ("plain",), "attacks": ("pgd",)}
NAMES = ["robustness-pgd-plain", "reliance-pgd-plain", "transfer-pgd-plain-8"]


def _document(**options: Any) -> AblationDocument:
    return AblationDocument.of(ablation_document(**SMALL | options))


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    return drawn_figures(_document(), "a-")


def test_one_figure_for_each_question_with_a_caption(drawn: list[Drawn]) -> None:
    assert [own.name for own in drawn] == NAMES
    assert [own.group for own in drawn] == ["Robustness under PGD", "Reliance bars", "Transfer maps"]
    for own in drawn:
        assert "Training: plain." in own.caption
        assert "24 images" in own.caption
        assert "2 seeds" in own.caption
    assert "1/255" in drawn[0].caption


def test_they_wear_the_pages_colours(drawn: list[Drawn]) -> None:
    for own in drawn:
        assert ET.fromstring(own.svg).get("aria-label")
        assert not re.search(r"#[0-9a-f]{6}\b", own.svg), "a colour that does not follow light and dark"
        ids = re.findall(r'\bid="([^"]+)"', own.svg)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r"(?:href=\"#|url\(#)([\w-]+)", own.svg)) <= set(ids)


def test_names_are_text(drawn: list[Drawn]) -> None:
    robustness, reliance, transfer = (set(re.findall(r">([^<>]+)</t(?:ext|span)>", own.svg)) for own in drawn)
    assert {"attack on RGB", "attack on depth", "attack on both", "rgb", "multistage", "8"} <= robustness
    assert {"PGD 2/255", "PGD 8/255", "missing", "bbsnet", "feature"} <= reliance
    assert {"shown to", "made for", "bbsnet, RGB", "\N{MINUS SIGN}0.40"} <= transfer
    assert "rgb" not in reliance, "the share of one input is no question for a reference"


def test_no_two_designs_look_alike() -> None:
    names = ["rgb", "depth", "early4", "early6", "mid", "late", "multi", "multi_all", "decision"]
    looks = styles(names)
    assert len({(own.colour, own.dash, own.marker) for own in looks.values()}) == len(names)
    assert len({(own.marker, own.hollow) for own in looks.values()}) == len(names), "also without colour"
    assert [name for name, own in looks.items() if own.hollow] == ["rgb", "depth"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"transfer": False, "seeds": 1, "fusions": ("early", "feature")}, NAMES[:2]),
        ({"transfer": False, "fusions": ("rgb",)}, NAMES[:1]),
        ({"transfer": False, "attacks": ()}, []),
    ],
    ids=str,
)
def test_what_is_missing_is_left_out(options: dict[str, Any], names: list[str]) -> None:
    assert [own.name for own in drawn_figures(_document(**options))] == names


def test_a_share_of_nothing_is_a_dash() -> None:
    raw = ablation_document(**SMALL | {"fusions": ("early",), "transfer": False})
    for own in raw["derived"]:
        if own["kind"] == "reliance":
            own |= {"value": None, "low": None, "high": None}
    figure = next(own for own in drawn_figures(AblationDocument.of(raw)) if own.name.startswith("reliance"))
    assert "A dash: nothing was lost" in figure.caption
    assert figure.svg.count(">\N{EN DASH}</text>") == 3


def test_as_files_they_stand_alone(drawn: list[Drawn]) -> None:
    for own in drawn:
        text = standalone(own.svg)
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.attrib["width"]) / float(root.attrib["height"]) == pytest.approx(_shape(root), rel=0.01)
        assert "var(" not in text
        assert "<script" not in text
        assert not re.search(r"(href|src)=\"(?!#)", text)
        assert root[0].attrib == {"width": "100%", "height": "100%", "fill": "#ffffff"}
        assert "#000001" not in text, "a colour that stands for a variable"
        assert "#1d1c1a" in text, "the page's ink in the light scheme"


def _shape(root: ET.Element) -> float:
    *_, width, height = map(float, root.attrib["viewBox"].split())
    return width / height


def test_names_of_files_are_safe_and_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    document = _document(trainings=("a/b c",), fusions=("early",), transfer=False)
    first, second = (write_figures(document, tmp_path / "deep" / name) for name in "ab")
    assert [path.name for path in first] == ["robustness-pgd-a-b-c.svg", "reliance-pgd-a-b-c.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="name another folder"):
        write_figures(_document(fusions=("early",), transfer=False), tmp_path / "file")


def test_what_trainings_change_is_one_matrix_a_design() -> None:
    document = _document(trainings=("plain", "itc"), fusions=("rgb", "multistage"), transfer=False, radii=(4 / 255,))
    figure = next(own for own in drawn_figures(document) if own.name == "externality-pgd-4")
    assert figure.group == "Externality of trainings"
    assert "24 images and 2 seeds" in figure.caption
    texts = re.findall(r">([^<>]+)</t(?:ext|span)>", figure.svg)
    assert texts.count("itc") == 2, "one row for each design; none for the plain training"
    assert texts.count("RGB attacked") == 2
    assert texts.count("depth attacked") == texts.count("both attacked") == texts.count("depth missing") == 1
    changes = [own for own in document.derived if own.kind == "externality"]
    printed = {text.replace("\N{MINUS SIGN}", "-") for text in texts}
    assert changes
    for own in changes:
        assert own.value is not None
        assert f"{own.value:+.2f}".replace("+0.00", "0.00").replace("-0.00", "0.00") in printed
