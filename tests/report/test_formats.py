"""The report as files: tables, places, comparisons."""

import csv
import re
from io import StringIO
from pathlib import Path

import pytest
from report_runs import write_attack, write_evaluation, write_training

from rgbdsod.errors import DataError
from rgbdsod.report import report


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))


def test_csv_has_a_row_for_each_metric_protocol_and_radius(tmp_path: Path) -> None:
    path = report(write_attack(tmp_path / "a", eps=(4 / 255, 8 / 255), pictures=0), format="csv")
    assert path == tmp_path / "a" / "report.csv"
    rows = _rows(path)
    assert len(rows) == 2 * 2 * 11
    sm = next(
        row for row in rows if row["metric"] == "sm" and row["protocol"] == "raw" and row["eps_depth"] == str(8 / 255)
    )
    assert float(sm["clean"]) == 0.9 - 0.02
    assert float(sm["attacked"]) == 0.9 - 0.15 - 0.02
    assert float(sm["change"]) == float(sm["attacked"]) - float(sm["clean"])
    assert (sm["better"], sm["norm"], sm["eps_rgb"], sm["fooled"], sm["images"]) == ("up", "linf", "0.0", "3", "4")


def test_csv_of_several_kinds_of_runs_is_one_table(tmp_path: Path) -> None:
    folders = [
        write_attack(tmp_path / "a", pictures=0),
        write_evaluation(tmp_path / "e"),
        write_training(tmp_path / "t"),
    ]
    path = report(folders, format="csv")
    assert path == tmp_path / "comparison.csv"
    rows = _rows(path)
    assert {(row["run"], row["command"]) for row in rows} == {("a", "attack"), ("e", "evaluate"), ("t", "train")}
    assert all(row["attacked"] == "" for row in rows if row["run"] != "a")
    assert [row["iteration"] for row in rows if row["run"] == "t" and row["metric"] == "sm"] == [
        "50",
        "100",
        "150",
        "200",
    ]


def test_markdown_of_one_run(tmp_path: Path) -> None:
    path = report(write_attack(tmp_path / "a", pictures=0), format="md")
    text = path.read_text(encoding="utf-8")
    assert path.name == "report.md"
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [
        "Benchmark protocol", "Raw protocol", "Change of the inputs", "What saving changes",
    ]  # fmt: skip
    assert "| Sm ↑ | 0.900 | 0.750 | \N{MINUS SIGN}0.150 |" in text
    assert "| MAE ↓ | 0.100 | 0.250 | +0.150 |" in text
    assert "| fooled | 3 | 3 | 0 |" in text


def test_several_radii_have_a_row_each_and_the_worst(tmp_path: Path) -> None:
    text = report(write_attack(tmp_path / "a", eps=(4 / 255, 8 / 255), pictures=0), format="md").read_text()
    first = text.split("###")[1]
    assert [line.split("|")[1].strip() for line in first.splitlines() if line.startswith("|")][2:] == [
        "clean", "4/255", "8/255", "worst of each image",
    ]  # fmt: skip


def test_latex(tmp_path: Path) -> None:
    path = report(write_evaluation(tmp_path / "a"), format="latex")
    assert path.name == "report.tex"
    assert r"Sm $\uparrow$ & 0.850 & 0.830 \\" in path.read_text()


def test_comparison_pairs_the_same_images(tmp_path: Path) -> None:
    folders = [write_attack(tmp_path / "a", pictures=0, drop=0.3), write_attack(tmp_path / "b", pictures=0, drop=0.1)]
    text = report(folders, format="md", compare=True, out=tmp_path / "deep" / "x.md").read_text()
    assert "### bbsnet, PGD on depth, demo (b) against bbsnet, PGD on depth, demo (a)" in text
    line = next(line for line in text.splitlines() if line.startswith("| Sm ↑ | 0.750 | 0.850 | +0.100 |"))
    low, high = (float(cell) for cell in line.split("|")[5:7])
    assert 0.0 <= low < 0.1 < high <= 0.2


def test_comparison_of_other_images_has_no_interval(tmp_path: Path) -> None:
    folders = [
        write_attack(tmp_path / "a", pictures=0),
        write_attack(tmp_path / "b", pictures=0, fingerprint="e" * 64),
    ]
    text = report(folders, format="md", compare=True).read_text()
    assert "not the same images, so no interval" in text
    assert "| Sm ↑ | 0.750 | 0.750 | 0.000 | \N{EN DASH} | \N{EN DASH} |" in text


def test_one_folder_in_a_list_is_one_run(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path / "a")
    assert report([folder], format="md") == folder / "report.md"


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="use another --out"):
        report(write_evaluation(tmp_path / "a"), format="md", out=tmp_path / "file" / "x.md")


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_evaluation(tmp_path / "a")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="no space left on device"):
        report(folder, format="md")
    assert not [path for path in folder.iterdir() if path.name.startswith((".report", "report"))]
