"""The page of an ablation, read as text."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from report_ablation import ablation_document, write_ablation
from report_runs import DEMO_NOTE

from rgbdsod.report import report

SMALL: dict[str, Any] = {"models": ("bbsnet",), "trainings": ("plain",), "attacks": ("pgd",)}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_ablation(tmp_path_factory.mktemp("runs") / "an ablation", attacks=("cospgd",))
    return report(folder).read_text(encoding="utf-8")


def _words(page: str) -> str:
    """What is read on the page."""
    body = re.sub(r"<(script|style|svg).*?</\1>", " ", page[page.index("<body>") :], flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def _tables(page: str) -> dict[str, list[list[str]]]:
    """Printed cells of every table by its title."""
    found = {}
    for title, body in re.findall(r"<caption>(.*?)(?:<small>.*?)?</caption>.*?<tbody>(.*?)</tbody>", page, re.DOTALL):
        rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
        found[title] = [
            [
                " ".join(re.sub(r"<[^>]+>", " ", cell).split())
                for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
            ]
            for row in rows
        ]
    return found


def test_the_head_says_what_was_compared(page: str) -> None:
    words = _words(page)
    for text in (
        "Where RGB and depth meet: bbsnet and jldcf", DEMO_NOTE, "rgbdsod ablate · an ablation",
        "40 networks: 2 architectures, 5 fusion designs, 2 trainings and 2 seeds, measured on 24 images.",
        "Attacked by CosPGD on RGB, depth and both, with radius 2/255, 4/255 and 8/255",
        "Trained with 2 seeds only", "fingerprint abababababab", "Networks 40", "Fusion designs 3", "Images 24",
        "early, feature, multistage, beside rgb and depth alone", "95 % interval over 24 images and 2 seeds",
    ):  # fmt: skip
        assert text in words, text


def test_numbers_of_the_page_are_those_of_the_file(page: str) -> None:
    tables, raw = _tables(page), ablation_document(attacks=("cospgd",))
    assert {"bbsnet", "jldcf", "bbsnet: relative drop", "jldcf: interaction"} <= set(tables)
    main = {tuple(row[:2]): row[2:] for row in tables["jldcf"]}
    for fusion in ("early", "multistage"):
        mine = [
            own for own in raw["table"] if (own["model"], own["fusion"], own["training"]) == ("jldcf", fusion, "itc")
        ]
        printed = [f"{own['mean']:.3f} [{own['low']:.3f}, {own['high']:.3f}]" for own in mine]
        row = main[fusion, "itc"]
        assert [row[0], *row[4:]] == printed


def test_every_figure_has_its_caption(page: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) == 2 + 2 + 3 + 1
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(captions) == len(figures)
    assert all("24 images and 2 seeds" in caption for caption in captions)
    assert sum(caption.startswith("Training: ") for caption in captions) == 2 + 2 + 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', page)) - {""}
    assert targets <= set(ids)


def test_the_record_holds_settings_and_the_command(page: str) -> None:
    words = _words(page)
    assert "steps = 20" in words
    assert "rgbdsod ablate --config" in words


def test_colour_is_only_for_changes_that_are_sure(page: str) -> None:
    body = page[page.index("<body>") :]
    coloured = re.findall(r'<td class="(?:better|worse)">(.*?)<', body)
    assert coloured
    assert all(text.endswith("*") for text in coloured)


def test_one_seed_one_image_no_references_no_transfer(tmp_path: Path) -> None:
    options = {"seeds": 1, "images": 1, "fusions": ("early", "late"), "transfer": False, "note": None, "attacks": ()}
    words = _words(report(write_ablation(tmp_path / "a", **SMALL | options)).read_text(encoding="utf-8"))
    assert "2 networks: 1 architecture, 2 fusion designs, 1 training and 1 seed, measured on 1 image." in words
    assert "Trained with 1 seed only" in words
    assert "one seed" in words
    assert "Transfer" not in words


def test_several_ablations_on_one_page(tmp_path: Path) -> None:
    folders = [write_ablation(tmp_path / name, **SMALL | {"attacks": (), "transfer": False}) for name in "ab"]
    text = report(folders).read_text(encoding="utf-8")
    assert text.count("Where RGB and depth meet") == 4, "twice in the contents, twice as a heading"
    assert 'id="comparison"' not in text
    assert "#comparison" not in text
