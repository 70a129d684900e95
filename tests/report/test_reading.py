"""Run folders that can be read, and the sentences for those that cannot."""

import json
import sys
from pathlib import Path

import pytest
from report_runs import write_attack, write_evaluation, write_training

from rgbdsod.errors import DataError
from rgbdsod.report.reading import read_run


def test_parquet_and_csv_give_the_same_rows(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    first = read_run(write_attack(tmp_path / "a", ids=("007", "1e5", "True"), pictures=0))
    second = read_run(write_attack(tmp_path / "b", ids=("007", "1e5", "True"), pictures=0, table="parquet"))
    assert first.rows == second.rows
    assert [row["id"] for row in first.rows] == ["007", "1e5", "True"]
    assert first.rows[0]["fooled"] is False


def test_pictures_are_listed_by_name(tmp_path: Path) -> None:
    run = read_run(write_evaluation(tmp_path / "a"))
    assert set(run.pictures("one")) == {"rgb", "depth", "mask", "clean_map"}
    assert run.pictures("nobody") == {}


def test_command_that_repeats_is_quoted(tmp_path: Path) -> None:
    run = read_run(write_evaluation(tmp_path / "a b"))
    assert run.repeat == f"rgbdsod evaluate --config '{tmp_path / 'a b' / 'config.toml'}'"


def test_a_half_written_log_line_is_skipped(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "a")
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"event": "tra')
    assert len(read_run(folder).events) == 1 + 20 + 4


def _error(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_run(folder)
    assert caught.value.code == 3
    return str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    assert _error(tmp_path / "x") == (
        f"no folder {tmp_path / 'x'}; give the folder of a run, for example one below runs/attack"
    )


def test_not_a_run_folder(tmp_path: Path) -> None:
    assert _error(tmp_path) == (
        f"{tmp_path} is not a run folder (no run.json in it); rgbdsod attack, evaluate and train make them"
    )


def test_a_file_is_not_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is not a run folder" in _error(tmp_path / "file")


def test_the_folder_above_names_a_run_in_it(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "mine")
    assert _error(tmp_path).endswith(f"; did you mean {tmp_path / 'mine'}?")


def test_unfinished_run_says_how_to_continue(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "a", pictures=0)
    record = json.loads((folder / "run.json").read_text()) | {"status": "interrupted"}
    (folder / "run.json").write_text(json.dumps(record))
    assert _error(folder) == (
        f"{folder} is not finished (status: interrupted); continue it with: rgbdsod attack --model bbsnet"
    )
    record["arguments"] = None
    (folder / "run.json").write_text(json.dumps(record))
    assert _error(folder).endswith(f"continue it with: rgbdsod attack --config {folder / 'config.toml'}")


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
@pytest.mark.parametrize("content", [b"", b'{"schema": "rgbds', b"[1, 2]", b"\xff\xfe"])
def test_corrupt_json(tmp_path: Path, name: str, content: bytes) -> None:
    folder = write_attack(tmp_path / "a", pictures=0)
    (folder / name).write_bytes(content)
    message = _error(folder)
    assert str(folder / name) in message
    assert message.endswith(f"copy {folder} again, or repeat the run with --restart")
    assert "\n" not in message


@pytest.mark.parametrize("name", ["metrics.json", "samples.csv"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    folder = write_attack(tmp_path / "a", pictures=0)
    (folder / name).unlink()
    assert "is missing" in _error(folder)


def test_corrupt_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = write_attack(tmp_path / "a", pictures=0, table="parquet")
    (folder / "samples.parquet").write_bytes(b"PAR1 not really")
    assert "samples.parquet cannot be read" in _error(folder)


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_attack(tmp_path / "a", pictures=0)
    (folder / "samples.parquet").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert _error(folder).endswith("needs pyarrow: pip install 'rgbdsod[parquet]'")


def test_schema_of_another_version(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path / "a")
    record = json.loads((folder / "run.json").read_text()) | {"schema": "rgbdsod.run/9"}
    (folder / "run.json").write_text(json.dumps(record))
    assert "schema rgbdsod.run/9, this one reads rgbdsod.run/1); update rgbdsod" in _error(folder)
