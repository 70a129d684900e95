"""Several processes divide a run; the result is that of one."""

import json

import pytest
from run_kill import exit_code, forked
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.errors import UsageError
from rgbdsod.run import Share

OPTIONS = {"eps": {"depth": [8 / 255, 16 / 255]}, "steps": 2}


def attack(out, share=None, **options):
    return rs.attack(tiny(), scenes(7), out=out, share=share, **{"batch": 2, **OPTIONS, **options})


def test_shares_have_each_item_once():
    items = list("abcdefgh")
    shares = [Share(index, 3) for index in range(3)]
    assert [share.of(items) for share in shares] == [list("adg"), list("beh"), list("cf")]
    assert [share.of(items, offset=2) for share in shares] == [list("cf"), list("adg"), list("beh")]
    assert Share(3, 4).of(items[:2]) == []


def test_a_share_as_a_command_line_names_it():
    assert Share.parse("2/3") == Share(1, 3)
    assert str(Share(1, 3)) == "2/3"
    for text in ("3", "a/b", "-1/3", "1/3/5", ""):
        with pytest.raises(UsageError, match="expected I/N, for example 1/3"):
            Share.parse(text)
    for text in ("0/3", "4/3", "1/0"):
        with pytest.raises(UsageError, match="expected I/N with I from 1 to N"):
            Share.parse(text)


def results(folder):
    names = ("metrics.json", "counts.npz", "samples.parquet", "config.toml")
    pictures = [path.relative_to(folder) for kind in ("adversarial", "images") for path in (folder / kind).rglob("*.*")]
    return {str(name): (folder / name).read_bytes() for name in (*names, *sorted(pictures))}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    attack(folder)
    return results(folder)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_three_shares_one_after_another_are_one_run(tmp_path, unbroken, order):
    *first, last = [attack(tmp_path / "run", Share(index, 3)) for index in order]
    assert [result.complete for result in first] == [False, False] and last.complete
    assert results(tmp_path / "run") == unbroken
    assert not (tmp_path / "run" / "samples").exists() and not (tmp_path / "run" / "ids.json").exists()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "finished" and record["batch"] == 2


def test_three_shares_side_by_side_are_one_run(tmp_path, unbroken):
    shares = [Share(index, 3) for index in range(3)]
    children = [forked(lambda share=share: attack(tmp_path / "run", share) and 0) for share in shares]
    assert [exit_code(child) for child in children] == [0, 0, 0]
    assert results(tmp_path / "run") == unbroken


def test_a_share_of_a_finished_run_reads_it(tmp_path, unbroken):
    attack(tmp_path / "run")
    late = attack(tmp_path / "run", Share(1, 3))
    assert late.complete and late.outcome.reused and results(tmp_path / "run") == unbroken


def test_the_rest_can_be_computed_without_shares(tmp_path, unbroken):
    first = attack(tmp_path / "run", Share(0, 3))
    assert first.summary() == "3 of 7 images are computed; whoever computes the last one writes the results"
    assert len(first.samples) == 6 and first.metrics == {} and len(first.outcome.missing) == 4
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
    assert attack(tmp_path / "run").complete and results(tmp_path / "run") == unbroken


def test_a_share_with_nothing_to_do_does_nothing(tmp_path, unbroken):
    assert not attack(tmp_path / "run", Share(6, 9)).complete
    for index in range(9):
        result = attack(tmp_path / "run", Share(index, 9))
    assert result.complete and results(tmp_path / "run") == unbroken


def test_an_evaluation_is_divided_in_the_same_way(tmp_path):
    rs.evaluate(tiny(), scenes(5), out=tmp_path / "whole", batch=2)
    for index in (1, 0):
        rs.evaluate(tiny(), scenes(5), out=tmp_path / "run", batch=2, share=Share(index, 2))
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_shares_are_cut_from_the_same_batches(tmp_path):
    attack(tmp_path / "run", Share(0, 3))
    with pytest.raises(UsageError, match="--batch 3: shares of this run are cut from batches of 2; leave out --batch"):
        attack(tmp_path / "run", Share(1, 3), batch=3)
    attack(tmp_path / "run", Share(1, 3), batch=None)
    assert attack(tmp_path / "run", Share(2, 3), batch=None).complete


def test_shares_meet_in_a_folder():
    with pytest.raises(UsageError, match="share 1/3: shares meet in a run folder; give out=DIR"):
        attack(None, Share(0, 3))
