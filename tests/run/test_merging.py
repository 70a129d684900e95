"""Folders of shares that were computed apart become one run."""

import json
import shutil

import pytest
from run_kill import content
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.cli.main import run
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run import Share, merge_shares


def attack(out, share=None, **options):
    return rs.attack(tiny(), scenes(5), out=out, share=share, **{"eps": 16 / 255, "steps": 2, "batch": 2, **options})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A whole run, and three shares in folders of their own."""
    folder = tmp_path_factory.mktemp("made")
    attack(folder / "whole")
    for index in range(3):
        attack(folder / f"part{index}", Share(index, 3))
    return folder


@pytest.fixture
def parts(made, tmp_path):
    """Copies of the shares."""
    return [shutil.copytree(made / f"part{index}", tmp_path / f"part{index}") for index in range(3)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shares_become_the_whole_run(made, parts, tmp_path, order):
    out = merge_shares([parts[index] for index in order], tmp_path / "out")
    model = tiny()
    result = rs.attack(model, scenes(5), out=out, eps=16 / 255, steps=2, batch=2)
    assert model.network.calls == 0 and result.complete
    assert content(out) == content(made / "whole")
    assert all(row["seconds"] > 0 for row in result.samples)
    record, whole = (json.loads((folder / "run.json").read_text()) for folder in (out, made / "whole"))
    assert record.keys() == whole.keys() and record["settings"] == whole["settings"]


def test_a_finished_run_and_a_share_of_it_agree(made, parts, tmp_path):
    shutil.copytree(made / "whole", tmp_path / "copy")
    attack(merge_shares([parts[1], tmp_path / "copy"], tmp_path / "out"))
    assert content(tmp_path / "out") == content(made / "whole")


def test_missing_images_are_named(parts, tmp_path):
    with pytest.raises(DataError) as error:
        merge_shares(parts[:2], tmp_path / "out")
    ids = scenes(5).ids
    assert str(error.value) == (
        f"1 of 5 images are in none of the folders: {ids[4]}; add the folder of the share that has them"
    )
    assert not (tmp_path / "out").exists()


def test_a_damaged_piece_is_missing_and_stays_where_it_is(parts, tmp_path):
    (piece,) = (parts[2] / "samples").iterdir()
    piece.write_bytes(piece.read_bytes()[:-20])
    with pytest.raises(DataError, match="1 of 5 images are in none of the folders"):
        merge_shares(parts, tmp_path / "out")
    assert piece.exists()


def test_results_that_disagree_are_refused(made, parts, tmp_path):
    from rgbdsod.run.pieces import commit, read_pieces
    from rgbdsod.run.store import DiskStore

    store = DiskStore(shutil.copytree(parts[0], tmp_path / "again"))
    ((name, piece),) = read_pieces(store).items()
    piece.rows[0]["loss"] += 1
    store.remove(name)
    commit(store, 0, piece)
    with pytest.raises(DataError, match=r"image .* has other results in .*part0 than in .*again; compute it again"):
        merge_shares([*parts, store.path], tmp_path / "out")


def test_another_run_is_refused(parts, tmp_path):
    attack(tmp_path / "other", Share(2, 3), steps=3)
    with pytest.raises(UsageError) as error:
        merge_shares([*parts[:2], tmp_path / "other"], tmp_path / "out")
    assert str(error.value) == (
        f"{parts[0]} was made with steps 2, {tmp_path / 'other'} with 3; "
        "merge folders of one run, or compute one of them again"
    )


def test_other_versions_are_refused(parts, tmp_path):
    record = json.loads((parts[1] / "run.json").read_text())
    record["versions"]["torch"] = "2.0.0"
    (parts[1] / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"part0 was made with torch .*, .*part1 with 2.0.0; merge folders of one run"):
        merge_shares(parts, tmp_path / "out")


def test_what_is_no_run_is_refused(parts, tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(DataError, match="thesis is no run folder"):
        merge_shares([*parts, tmp_path / "thesis"], tmp_path / "out")
    with pytest.raises(UsageError, match="nothing to merge"):
        merge_shares([], tmp_path / "out")
    (tmp_path / "thesis" / "a.tex").write_text("x")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        merge_shares(parts, tmp_path / "thesis")


def test_the_command_line_divides_and_merges(tmp_path, capsys):
    model = tmp_path / "m.py"
    model.write_text("from run_models import tiny as build\n")
    command = ["evaluate", "--model", f"{model}:build", "--data", "scenes:3@32x32#3", "--batch", "1", "--quiet"]
    assert run([*command, "--out", str(tmp_path / "whole")]) == 0
    for number in (1, 2):
        out = str(tmp_path / f"part{number}")
        assert run([*command, "--shard", f"{number}/2", "--out", out]) == 0
    shown = capsys.readouterr().out
    assert "share   2/2 is through; 1 of 3 images of the run are computed" in shown
    merge = ["merge", str(tmp_path / "part2"), str(tmp_path / "part1"), "--quiet", "--out", str(tmp_path / "out")]
    assert run(merge) == 2
    assert "names code, " in capsys.readouterr().err, "folders come from elsewhere"
    assert run([*merge, "--run-code"]) == 0
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert run([*merge, "--run-code"]) == 0, "what is finished is read"
    assert run(["merge", str(tmp_path / "part2"), "--run-code", "--out", str(tmp_path / "other")]) == 3
    assert run(["merge", str(tmp_path / "part2")]) == 2


def test_a_share_as_a_document(tmp_path, capsys):
    model = tmp_path / "m.py"
    model.write_text("from run_models import tiny as build\n")
    assert run(["evaluate", "--model", f"{model}:build", "--data", "scenes:3@32x32#3", "--batch", "1", "--json",
                "--shard", "1/2", "--out", str(tmp_path / "part")]) == 0  # fmt: skip
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": "rgbdsod.share/1", "share": "1/2", "images": 3, "computed": 2, "run": str(tmp_path / "part"),
    }  # fmt: skip
