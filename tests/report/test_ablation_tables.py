"""The tables of an ablation in every format: the numbers are those of the file."""

import csv
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from report_ablation import ATTACKS, RADII, ablation_document, write_ablation
from report_runs import write_attack

from rgbdsod.errors import UsageError
from rgbdsod.report import report
from rgbdsod.report.ablation.derived import derived_groups
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.measures import measure_tables
from rgbdsod.report.ablation.page import ablation_tables
from rgbdsod.report.tables import Estimate, Table, print_cell

SMALL: dict[str, Any] = {"models": ("bbsnet",), "trainings": ("plain",), "attacks": ("pgd",)}
MINUS = "\N{MINUS SIGN}"


def _cells(table: Table) -> dict[tuple[str, str, str, str], Any]:
    """By row texts, group and label of the column."""
    return {
        (str(row.cells[0]), str(row.cells[1]), column.group, column.label): cell
        for row in table.rows
        for column, cell in zip(table.columns[2:], row.cells[2:], strict=True)
    }


def test_every_mean_of_the_file_stands_in_the_main_tables() -> None:
    raw = ablation_document()
    document = AblationDocument.of(raw)
    for model in ("bbsnet", "jldcf"):
        tables = measure_tables(document, model)
        assert [table.title for table in tables] == [f"{model}, PGD", f"{model}, CosPGD"]
        found = {key: cell for table in tables for key, cell in _cells(table).items() if cell is not None}
        for own in (own for own in raw["table"] if own["model"] == model):
            estimate = Estimate(own["mean"], own["low"], own["high"])
            assert found[own["fusion"], own["training"], *_head(own)] == estimate
        assert len(found) == len([own for own in raw["table"] if own["model"] == model]) + 3 * 10


def _head(own: dict[str, Any]) -> tuple[str, str]:
    inputs = {"rgb": "RGB"}.get(own["modality"], own["modality"])
    if own["attack"] == "clean":
        return "clean", "S"
    if own["attack"] == "missing":
        return "missing", inputs
    return f"{ {'pgd': 'PGD', 'cospgd': 'CosPGD'}[own['attack']] } on {inputs}", f"{round(own['eps'] * 255)}/255"


def test_clean_measures_are_means_over_seeds() -> None:
    raw = ablation_document(**SMALL)
    found = _cells(measure_tables(AblationDocument.of(raw), "bbsnet")[0])
    own = [variant["clean"]["mae"] for variant in raw["variants"] if variant["fusion"] == "early"]
    assert found["early", "plain", "clean", "MAE"] == pytest.approx(sum(own) / 2)


def test_rows_put_the_designs_of_one_training_together_after_the_references() -> None:
    table = measure_tables(AblationDocument.of(ablation_document()), "jldcf")[0]
    fusions = ["rgb", "depth", "early", "feature", "multistage"]
    assert [row.cells[:2] for row in table.rows] == [(name, way) for way in ("plain", "itc") for name in fusions]


def test_every_derived_number_stands_in_a_table() -> None:
    raw = ablation_document()
    groups = derived_groups(AblationDocument.of(raw))
    found = [
        cell for group in groups for _, tables in group.folds for table in tables for cell in _cells(table).values()
    ]
    estimates = {cell for cell in found if cell is not None}
    shares_of_rgb = [own for own in raw["derived"] if own["kind"].startswith("reliance") and own["modality"] == "rgb"]
    for own in raw["derived"]:
        if own not in shares_of_rgb:
            assert Estimate(own["value"], own["low"], own["high"]) in estimates
    assert len(shares_of_rgb) == 2 * 2 * 3 * (2 * 3 + 1)


def test_only_an_interval_that_excludes_0_is_marked(tmp_path: Path) -> None:
    document = AblationDocument.of(ablation_document())
    group = next(own for own in derived_groups(document) if own.title == "Differences between fusions")
    differences = [own for own in document.derived if own.kind == "difference"]
    sure = [own for own in differences if own.low is not None and own.high is not None and own.low * own.high > 0]
    assert f"{len(sure)} of {len(differences)} intervals exclude 0 (marked *)" in group.note
    assert f"about {round(0.05 * len(differences))} would by chance" in group.note
    text = report(write_ablation(tmp_path / "a"), format="md").read_text(encoding="utf-8")
    part = text[text.index("### bbsnet: differences") : text.index("### bbsnet: gap")]
    for value, *ends in re.findall(r"([\d.+*-]+)<br>\[([\d.+-]+), ([\d.+-]+)\]", part.replace(MINUS, "-")):
        low, high = map(float, ends)
        assert value.endswith("*") == (low * high > 0) or 0 in (low, high), value


def test_an_interval_of_one_image_marks_nothing() -> None:
    assert print_cell(Estimate(0.2, 0.2, 0.2), "change") == "+0.200"
    assert print_cell(Estimate(0.2), "change") == "+0.200"
    assert print_cell(Estimate(-0.2, -0.3, -0.1), "change") == f"{MINUS}0.200*"
    assert print_cell(Estimate(-0.2, -0.3, -0.1)) == f"{MINUS}0.200"


def test_markdown(tmp_path: Path) -> None:
    raw = ablation_document(**SMALL)
    text = report(write_ablation(tmp_path / "a", **SMALL), format="md").read_text(encoding="utf-8")
    own = next(own for own in raw["table"] if (own["fusion"], own["attack"]) == ("early", "missing"))
    assert f"{own['mean']:.3f}<br>[{own['low']:.3f}, {own['high']:.3f}]" in text
    assert "| clean S ↑ | clean max F ↑ | clean max E ↑ | clean MAE ↓ | PGD on RGB 2/255 ↑ |" in text
    assert f"| early {MINUS} feature | plain |" in text
    assert raw["variants"][0]["sha256"] in text
    assert "95 % interval over 24 images and 2 seeds" in text


def test_latex_has_heads_over_heads(tmp_path: Path) -> None:
    text = report(write_ablation(tmp_path / "a", **SMALL), format="latex").read_text(encoding="utf-8")
    assert r"\multicolumn{2}{c}{} & \multicolumn{4}{c}{clean} & \multicolumn{3}{c}{PGD on RGB}" in text
    assert r"\cmidrule(lr){3-6} \cmidrule(lr){7-9}" in text
    assert re.search(r"\\shortstack\[r\]\{0\.\d{3}\\\\\{\\tiny \[0\.\d{3}, 0\.\d{3}\]\}\}", text)
    tables = re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    for sides, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r" \\") and "multicolumn" not in line]
        assert {line.count(" & ") for line in rows} == {len(sides) - 1}


def test_csv_holds_every_number_of_the_file(tmp_path: Path) -> None:
    raw = ablation_document()
    path = report(write_ablation(tmp_path / "a"), format="csv")
    rows = list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))
    values = {kind: [float(row["value"]) for row in rows if row["what"] == kind] for kind in {r["what"] for r in rows}}
    assert values["mean"] == [own["mean"] for own in raw["table"]]
    for kind in ("relative_drop", "reliance", "reliance_missing", "interaction", "gap_to_rgb", "difference"):
        assert values[kind] == [own["value"] for own in raw["derived"] if own["kind"] == kind]
    sm = [float(row["value"]) for row in rows if row["what"] == "network" and row["measure"] == "sm"]
    assert sm == [own["sm"] for own in raw["cells"]]
    changes = [float(row["value"]) for row in rows if row["measure"] == "sm_change"]
    assert changes == [own["change"] for own in raw["transfer"]]
    assert {row["eps"] for row in rows if row["attack"] in ATTACKS} == {str(eps) for eps in RADII}


@pytest.mark.parametrize(
    "options",
    [
        {"transfer": False},
        {"seeds": 1},
        {"fusions": ("early", "feature")},
        {"fusions": ("depth", "early")},
        {"fusions": ("rgb",)},
        {"attacks": (), "transfer": False},
        {"radii": (0.5 / 255,)},
        {"images": 1, "note": None},
    ],
    ids=str,
)
def test_what_is_missing_is_left_out(options: dict[str, Any]) -> None:
    tables = ablation_tables(AblationDocument.of(ablation_document(**SMALL | options)))
    assert tables[0].title == "bbsnet"
    assert tables[-1].title == "Networks"
    assert any("PGD on" in table.title for table in tables) == (options.get("transfer", True) and len(tables) > 4)


def test_it_stands_alone(tmp_path: Path) -> None:
    first, second = (write_ablation(tmp_path / name, **SMALL) for name in "ab")
    other = write_attack(tmp_path / "c", pictures=0)
    with pytest.raises(UsageError, match="make a report of it alone"):
        report([first, other], format="md")
    with pytest.raises(UsageError, match="leave --compare out"):
        report([first, second], format="md", compare=True)
    with pytest.raises(UsageError, match="leave --fail-under out"):
        report(first, format="md", fail_under="sm=0.5")
    rows = list(csv.DictReader(StringIO(report([first, second], format="csv").read_text(encoding="utf-8"))))
    assert {row["run"] for row in rows} == {"a", "b"}
