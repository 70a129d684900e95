"""The HTML page, read as text: what stands in it, and that it stands alone."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_runs import DEMO_NOTE, write_attack, write_evaluation, write_training

from rgbdsod.report import report

MINUS = "\N{MINUS SIGN}"


class Page(HTMLParser):
    """Elements and visible text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._quiet = 0
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._quiet += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [attributes for _, attributes in self.elements if name in attributes.get("class", "").split()]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(report(write_attack(tmp_path_factory.mktemp("runs") / "my attack", modality="both")))


def _assert_stands_alone(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "data", "poster", "action", "background"):
            assert name not in attributes or attributes[name].startswith("data:"), (tag, attributes)
        link = attributes.get("href", attributes.get("xlink:href", "#"))
        assert re.match(r"#|data:|images/|\.\./", link), (tag, attributes)
    assert not re.search(r"@import|url\((?!#)", page.source)
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(", page.source)
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in page.of("a") if a.get("href", "").startswith("#")} - {""}
    assert targets <= set(ids)


def test_page_stands_alone(attack: Page) -> None:
    _assert_stands_alone(attack)


def test_head_says_what_was_attacked_and_how(attack: Page) -> None:
    for text in (
        "PGD on the RGB and depth of bbsnet", DEMO_NOTE, "sha256 3f2a91c0", "demo, 4 images",
        "PGD, 20 steps, step size 2/255, 1 restart, random start", "RGB 8/255 (L∞), depth 8/255 (L∞)",
        "measured on the saved files: RGB 0.031373, depth 0.031373", "21 forward, 20 backward", "31.2 s",
        "3 of 4", "IoU < 0.5; 1 before the attack",
    ):  # fmt: skip
        assert text in attack.text, text


def test_both_protocols_and_the_effect_of_saving(attack: Page) -> None:
    assert "Benchmark protocol each map is stretched" in attack.text
    assert "Raw protocol maps as the model gives them" in attack.text
    assert f"Sm ↑ (higher is better) 0.900 0.750 {MINUS}0.150" in attack.text
    assert f"Sm ↑ (higher is better) 0.880 0.730 {MINUS}0.150" in attack.text
    assert "MAE ↓ (lower is better) 0.100 0.250 +0.150" in attack.text
    assert "Sm ↑ (higher is better) 0.749 0.750 +0.001" in attack.text
    assert f"{MINUS}0.150 [{MINUS}0.200, {MINUS}0.100]" in attack.text


def test_panels_of_every_image(attack: Page) -> None:
    cards = attack.of_class("card")
    assert [card["data-id"] for card in cards] == ["four", "three", "two", "one"], "most damaged first"
    assert [card["data-state"] for card in cards] == ["fooled", "fooled", "below", "held"]
    assert [float(card["data-sm"]) for card in cards] == pytest.approx([0.3, 0.2, 0.1, 0.0])
    kinds = [panel["data-kind"] for panel in attack.of_class("panel")]
    assert kinds[:9] == [
        "rgb", "depth", "adv_rgb", "diff_rgb", "adv_depth", "diff_depth", "mask", "clean_map", "attacked_map",
    ]  # fmt: skip
    assert len(kinds) == 36
    assert len(attack.of_class("sharp")) == 2 * 4, "differences are drawn without smoothing"
    images = [image for image in attack.of("img") if image.get("src")]
    assert len(images) == 36
    assert all(image["alt"] and image["src"].startswith("data:image/") for image in images)
    assert attack.of_class("panel")[0] | {"class": ""} == {
        "class": "", "type": "button", "data-kind": "rgb", "data-width": "32", "data-height": "24",
        "data-file": "images/four/rgb.png",
    }  # fmt: skip


def test_captions_state_gain_and_depth_convention(attack: Page) -> None:
    assert "enlarged 16 times: mid-grey is unchanged" in attack.text
    assert "a change of 8/255 reaches white or black" in attack.text
    assert "near is bright, far is dark" in attack.text
    assert "difference \N{MULTIPLICATION SIGN}16" in attack.text


def test_record_is_complete(attack: Page) -> None:
    assert "my attack/config.toml'" in attack.text
    for text in ("rgbdsod attack --model bbsnet", 'modality = "both"', "torch 2.11.0", '"status": "finished"'):
        assert text in attack.text
    assert "maxF: definition of maxF (higher is better)" in attack.text


def test_curves_are_drawn(attack: Page) -> None:
    labels = [svg["aria-label"] for svg in attack.of("svg")]
    assert len(labels) == 4
    assert labels[0] == "Precision against recall: clean, attacked"


def test_same_run_same_bytes(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "a")
    assert report(folder).read_bytes() == report(folder, out=folder / "again.html").read_bytes()


def test_gain_is_stated_and_what_it_cuts(tmp_path: Path) -> None:
    page = Page(report(write_attack(tmp_path / "a"), gain=32))
    assert "enlarged 32 times" in page.text
    assert (
        "a change of 4/255 reaches white or black. In the strongest one 100% of the values changed by more" in page.text
    )


def test_only_the_most_damaged_images_are_shown(tmp_path: Path) -> None:
    page = Page(report(write_attack(tmp_path / "a"), panels=2))
    assert [card["data-id"] for card in page.of_class("card")] == ["four", "three"]
    assert "Pictures of 2 of 4 images." in page.text
    assert "4 rows, raw protocol" in page.text


def test_a_long_table_is_cut_and_says_so(tmp_path: Path) -> None:
    page = Page(report(write_attack(tmp_path / "a", ids=[f"id-{i}" for i in range(2100)], pictures=0)))
    assert "2000 rows, raw protocol; the first 2000 of 2100 rows, all are in the run folder's table" in page.text
    assert "id-1999" in page.text
    assert "id-2000" not in page.text


def test_links_follow_the_page(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "runs" / "a b")
    page = Page(report(folder, out=tmp_path / "out" / "page.html"))
    assert page.of_class("panel")[0]["data-file"] == "../runs/a%20b/images/four/rgb.png"


def test_several_radii(tmp_path: Path) -> None:
    page = Page(report(write_attack(tmp_path / "a", eps=(2 / 255, 4 / 255, 8 / 255))))
    _assert_stands_alone(page)
    assert "3 radii were tried; where this page shows one of them, it is the last, 8/255." in page.text
    assert "worst of each image" in page.text
    assert "Benchmark protocol, radius 8/255" in page.text
    assert any(svg["aria-label"] == "Measures against the radius" for svg in page.of("svg"))
    assert [float(card["data-sm"]) for card in page.of_class("card")] == pytest.approx([0.3, 0.2, 0.1, 0.0])
    assert "12 rows, raw protocol" in page.text


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    name = '<script>alert(1)</script>"&'.replace("/", "-")
    page = Page(report(write_attack(tmp_path / "a", ids=(name, "b"), note="<b>bold</b>")))
    assert len(page.of("script")) == 1
    assert page.of("b") == []
    assert name in {card["data-id"] for card in page.of_class("card")}


def test_without_pictures(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "a")
    shutil.rmtree(folder / "images")
    page = Page(report(folder))
    assert f"No pictures: {folder / 'images'} holds none" in page.text
    assert page.of_class("card") == []
    assert "Numbers per image" in page.text


def test_with_broken_and_missing_pictures(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "a")
    (folder / "images" / "one" / "rgb.png").write_bytes(b"")
    (folder / "images" / "two" / "adv_depth.png").write_text("no picture")
    (folder / "images" / "three" / "mask.png").unlink()
    page = Page(report(folder))
    assert "2 pictures cannot be read: two/adv_depth.png, one/rgb.png." in page.text
    assert len(page.of_class("panel")) == 4 * 7 - 1 - 2 - 1


def test_evaluation(tmp_path: Path) -> None:
    page = Page(report(write_evaluation(tmp_path / "a")))
    _assert_stands_alone(page)
    assert "bbsnet on demo" in page.text
    assert "Sm ↑ (higher is better) 0.850 0.830" in page.text
    assert [card["data-id"] for card in page.of_class("card")] == ["two", "one"], "lowest S-measure first"
    assert [panel["data-kind"] for panel in page.of_class("panel")][:4] == ["rgb", "depth", "mask", "clean_map"]
    assert "attacked" not in page.text
    assert page.of("option")[0]["value"] == "sm"


def test_evaluation_of_chosen_metrics(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path / "a")
    metrics = json.loads((folder / "metrics.json").read_text())
    for found in metrics["clean"].values():
        found["values"] = {"mae": found["values"]["mae"]}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    lines = [line.split(",") for line in (folder / "samples.csv").read_text().splitlines()]
    keep = [i for i, name in enumerate(lines[0]) if not name.startswith("clean_") or "mae" in name]
    (folder / "samples.csv").write_text("\n".join(",".join(line[i] for i in keep) for line in lines))
    page = Page(report(folder))
    assert [option["value"] for option in page.of("option")] == ["mae", "id"]
    assert [card["data-id"] for card in page.of_class("card")] == ["two", "one"], "highest MAE first"


def test_training(tmp_path: Path) -> None:
    page = Page(report(write_training(tmp_path / "a")))
    _assert_stands_alone(page)
    assert "Training of bbsnet" in page.text
    assert "S-measure ↑ 0.850 at iteration 200" in page.text
    assert {svg["aria-label"] for svg in page.of("svg")} == {"training loss", "learning rate", "Validation measures"}
    assert "4 rows, benchmark protocol" in page.text


def test_training_that_goes_on(tmp_path: Path) -> None:
    page = Page(report(write_training(tmp_path / "a", status="running", checks=0)))
    assert "This training is not finished; continue it with: rgbdsod train --model bbsnet" in page.text
    assert page.of("svg") == []


def test_training_called_from_python_has_only_a_log(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "a")
    (folder / "run.json").unlink()
    (folder / "config.toml").unlink()
    (folder / "checkpoints").mkdir()
    page = Page(report(folder))
    assert "left a log but no run.json, so its settings are not known" in page.text
    assert len(page.of("svg")) == 3


def test_comparison(tmp_path: Path) -> None:
    folders = [write_attack(tmp_path / "a"), write_attack(tmp_path / "b", drop=0.1), write_evaluation(tmp_path / "e")]
    page = Page(report(folders, compare=True))
    _assert_stands_alone(page)
    assert "3 runs compared" in page.text
    assert page.text.count("against bbsnet, PGD on depth, demo (a)") >= 2
    assert len(page.of_class("run")) == 3
    assert len(page.of_class("card")) == 4 + 4 + 2


def test_budget_that_was_exceeded_is_said(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "a", pictures=0)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["results"][0]["budget"]["depth"]["measured"] = 0.04
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert "The saved files exceed the budget of depth: 0.04 measured, 0.0313725 allowed." in Page(report(folder)).text
