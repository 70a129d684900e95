"""Bounds and arguments."""

from pathlib import Path

import pytest
from report_runs import write_attack, write_evaluation, write_training

import rgbdsod
from rgbdsod.errors import CheckError, UsageError
from rgbdsod.report import report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """S is 0.75 under attack at 8/255 and 0.825 at 4/255; MAE 0.25 and 0.175."""
    return write_attack(tmp_path_factory.mktemp("runs") / "a", eps=(4 / 255, 8 / 255), pictures=0)


@pytest.mark.parametrize("bound", ["sm=0.7", "mae=0.3", "iou=0.5", "sm_raw=0.72", "sm=0.75", ["sm=0.7", "mae=0.3"]])
def test_bounds_that_hold(run: Path, tmp_path: Path, bound: str | list[str]) -> None:
    assert report(run, format="csv", fail_under=bound, out=tmp_path / "x.csv").is_file()


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        ("sm=0.8", "sm is 0.7500 under attack at 8/255 (benchmark protocol, {run}), below the bound 0.8"),
        ("sm_raw=0.74", "sm is 0.7300 under attack at 8/255 (raw protocol, {run}), below the bound 0.74"),
        ("mae=0.2", "mae is 0.2500 under attack at 8/255 (benchmark protocol, {run}), above the bound 0.2"),
        ("iou=0.8", "iou_bin is 0.7500 under attack at 8/255 (benchmark protocol, {run}), below the bound 0.8"),
    ],
)
def test_missed_bounds_name_metric_value_and_bound(run: Path, tmp_path: Path, bound: str, text: str) -> None:
    with pytest.raises(CheckError) as caught:
        report(run, format="csv", fail_under=bound, out=tmp_path / "x.csv")
    assert str(caught.value) == text.format(run=run)
    assert caught.value.code == 6
    assert (tmp_path / "x.csv").is_file(), "the report is written before the check"


def test_every_missed_bound_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"0\.8250 under attack at 4/255.*; .*0\.7500 under attack at 8/255.*; mae"):
        report(run, format="csv", fail_under="sm=0.9,mae=0.2", out=tmp_path / "x.csv")


def test_evaluation_and_training_are_checked_on_their_own_values(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"sm is 0\.8500 on the clean maps"):
        report(write_evaluation(tmp_path / "e"), format="csv", fail_under="sm=0.9")
    with pytest.raises(CheckError, match=r"sm is 0\.8500 at the best validation"):
        report(write_training(tmp_path / "t"), format="csv", fail_under="sm=0.9")


@pytest.mark.parametrize("bound", ["sm", "sm=", "=0.8", "sm=high", "sm=nan"])
def test_unreadable_bounds(run: Path, bound: str) -> None:
    with pytest.raises(UsageError, match="expected METRIC=X"):
        report(run, fail_under=bound)


def test_unknown_metric_lists_what_there_is(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no smm, it has mae, sm, wfm"):
        report(run, format="csv", fail_under="smm=0.8", out=tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"format": "pdf"}, 'no format "pdf"; there are html, csv, latex, md'),
        ({"compare": True}, "--compare needs two run folders or more; got 1"),
        ({"panels": -1}, "panels=-1"),
        ({"gain": 0.0}, "gain=0"),
        ({"gain": float("nan")}, "gain=nan"),
    ],
)
def test_arguments_out_of_range(run: Path, arguments: dict, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        report(run, **arguments)
    assert text in str(caught.value)


def test_no_folder_at_all() -> None:
    with pytest.raises(UsageError, match="needs the folder of a run"):
        report([])


def test_out_that_is_a_folder(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder; name the file"):
        report(run, out=tmp_path)


def test_the_package_and_the_room_are_both_callable(run: Path, tmp_path: Path) -> None:
    """`rgbdsod.report` is a room and a function of that name; both must work, in any order, any number of times."""
    for _ in range(2):
        assert rgbdsod.report(run, format="md", out=tmp_path / "x.md").is_file()
    assert rgbdsod.report.report is report
