"""Suites of attacks over both worlds: which cases, which numbers, one table, one page."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_schema import problems

from rgbdsod.errors import UsageError
from rgbdsod.report import report
from rgbdsod.report.benchmark.figures import write_bench_figures
from rgbdsod.run import Target, bench
from rgbdsod.run.benchmark.line import Line, relative_loss
from rgbdsod.run.benchmark.suites import SUITES, Case, read_suites

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "bench-1.json").read_text(encoding="utf-8")
)
BLOCK = """
[[block]]
world = "zero-shot"
model = "clip.demo"
data = ["glyphs:pairs", "glyphs:textures"]
attack = ["fgsm", "pgd-1"]
modality = "image"
eps = ["2/255", 0.0]
images = 3
"""
SALIENCY = """
[[block]]
world = "saliency"
model = "bbsnet"
data = "scenes:2@32x32#7"
attack = "fgsm"
modality = "rgb"
eps = "8/255"
"""
EVERY = {"world": "zero-shot", "model": "clip.demo", "data": "glyphs:pairs", "attack": "fgsm", "modality": "image",
         "eps": (8 / 255,)}  # fmt: skip


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    file = tmp_path_factory.mktemp("suite") / "small.toml"
    file.write_text(BLOCK + SALIENCY)
    return str(file)


@pytest.fixture(scope="module")
def found(suite, tmp_path_factory):
    return bench(suite, target=Target(out=tmp_path_factory.mktemp("bench") / "run"), device="cpu")


def test_the_same_attacks_at_the_same_budgets_meet_both_worlds():
    cases = SUITES["cross"].cases
    worlds = {
        world: {(case.attack, case.eps) for case in cases if case.world == world} for world in ("saliency", "zero-shot")
    }
    assert worlds["saliency"] == worlds["zero-shot"]
    assert {name for name, _ in worlds["saliency"]} == {"noise", "fgsm", "pgd-20", "apgd-20"}
    assert {(case.model, case.modality) for case in cases} >= {("bbsnet", "rgb"), ("d3net", "both")}


def test_every_suite_has_cases_of_different_names():
    for suite in SUITES.values():
        keys = [case.key for case in suite.cases]
        assert len(set(keys)) == len(keys) > 0


def test_the_number_behind_an_attack_is_its_steps():
    assert Case(**{**EVERY, "attack": "apgd-20"}).member == ("apgd", {"steps": 20})
    assert Case(**EVERY).member == ("fgsm", {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"world": "depth"}, 'no world "depth"'),
        ({"attack": "pdg-20"}, 'no attack "pdg"; did you mean "pgd"?'),
        ({"attack": "cw"}, "no worst point within an Linf radius"),
        ({"modality": "rgb"}, 'modality "rgb" in the world "zero-shot"; expected image'),
        ({"eps": (8.0,)}, "did you mean 8/255?"),
        ({"eps": ()}, "no eps"),
        ({"images": 0}, "--images 0: pass 1 or more"),
    ],
)
def test_a_case_that_cannot_be(change, message):
    with pytest.raises(UsageError) as error:
        Case(**{**EVERY, **change})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eps = 1", "expected tables [[block]] and nothing else"),
        ("[[block]]\nworlds = 1", 'block 1: no field "worlds"'),
        ('[[block]]\nworld = "saliency"', "block 1 has no model"),
        (BLOCK.replace("images = 3", 'images = "3"'), "images is '3', expected a whole number"),
        (BLOCK.replace('"2/255"', '"two"'), "expected a number, or a fraction such as 8/255"),
        ("[[block", "is not a TOML file"),
    ],
)
def test_a_file_that_is_no_suite(tmp_path, text, message):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        read_suites(str(tmp_path / "s.toml"))
    assert message in str(error.value)


def test_an_unknown_suite():
    with pytest.raises(UsageError, match='no suite "cros"; use quick, standard, cross'):
        read_suites("cros")


def test_relative_loss_has_the_interval_of_drawing_images():
    clean, attacked = np.array([1.0, 1.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0])
    loss = relative_loss(clean, attacked)
    assert loss.value == 0.5
    assert 0 <= loss.low < 0.5 < loss.high <= 1
    assert relative_loss(clean, clean).high == 0
    assert relative_loss(np.zeros(3), np.zeros(3)).value is None


def test_images_that_failed_before_are_not_fooled():
    failed, fails = np.array([True, False, False]), np.array([True, True, False])
    line = Line.of(Case(**EVERY), "m", 0.1, clean=np.ones(3), attacked=np.ones(3), failed=failed, fails=fails)
    assert (line.held, line.fooled, line.share.value) == (2, 1, 0.5)


def test_a_row_for_each_case_and_radius(found):
    rows = found.rows
    assert [(row["model"], row["attack"], row["eps"]) for row in rows] == [
        ("clip.demo", "fgsm", 2 / 255), ("clip.demo", "fgsm", 0.0), ("clip.demo", "pgd-1", 2 / 255),
        ("clip.demo", "pgd-1", 0.0), ("bbsnet.demo", "fgsm", 8 / 255),
    ]  # fmt: skip
    assert [row["images"] for row in rows] == [6, 6, 6, 6, 2]
    for row in rows:
        assert row["attacked"] <= row["clean"] + 0.02
        assert row["eps"] or row["loss"]["value"] == 0 == row["fooled"]
    assert problems(found.document | {"run": "r"}, SCHEMA) == []
    assert "bbsnet.demo" in found.summary()


def test_a_finished_benchmark_is_read_and_an_interrupted_one_goes_on(found, suite):
    again = bench(suite, target=Target(out=found.folder), device="cpu")
    assert again.reused
    record = json.loads((found.folder / "run.json").read_text())
    (found.folder / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    on = bench(suite, target=Target(out=found.folder), device="cpu")
    assert not on.reused
    assert on.document == found.document
    with pytest.raises(UsageError, match="this folder was made with"):
        bench(suite, images=2, target=Target(out=found.folder), device="cpu")


def test_its_page_and_its_tables(found, tmp_path):
    page = report(found.folder, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "Share fooled" in page
    table = report(found.folder, format="md", out=tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| bbsnet | rgb |" in table
    lines = report(found.folder, format="csv", out=tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(found.rows)
    assert all("font-family" in file.read_text() for file in write_bench_figures(found.folder, tmp_path))
    with pytest.raises(UsageError, match="a benchmark"):
        report([found.folder, found.folder], compare=True, out=tmp_path / "c.html")
