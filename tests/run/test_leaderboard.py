"""The leaderboard: worst cases with known answers, their order, cards, and a tiny one from end to end."""

import hashlib
import json
import re
import runpy
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from cli_schema import problems

import rgbdsod
from rgbdsod.errors import DataError, RgbdsodError, UsageError, WeightsError
from rgbdsod.report import report
from rgbdsod.run import Target, leaderboard
from rgbdsod.run.board.cell import Cell, nested
from rgbdsod.run.board.entry import Entry, read_card
from rgbdsod.run.board.leaderboard import planned
from rgbdsod.run.board.ranking import Measured, ranked
from rgbdsod.run.board.suite import BOARDS, is_board, read_board

SCHEMA = json.loads(
    (Path(rgbdsod.__file__).parent / "cli" / "schemas" / "leaderboard-1.json").read_text(encoding="utf-8")
)
CODE = """
from run_models import StandsOut, tiny
from rgbdsod.models import wrap


def build():
    return tiny()


class Colour(StandsOut):
    inputs = ("rgb",)

    def fuse(self, features):
        return {"final": self.gain[0] * features["rgb"] - 2.0}

    def forward(self, rgb):
        return self.fuse({"rgb": self.encode("rgb", rgb)})


def colour():
    return wrap(Colour(), name="colour", inputs=("rgb",)).eval()
"""
SUITE = """
data = "scenes:2@32x32#3"
images = 2
modality = ["depth", "both"]
eps = ["2/255", "8/255"]

[settings]
steps = 1
effort = "quick"

[[entry]]
name = "bare"
model = "net.py:build"

[[entry]]
name = "behind a median"
model = "net.py:build"
defense = "median(window=3)"
"""
CARD = """
name = "mine"
model = "bbsnet"
trained_on = "generated scenes"
authors = "somebody"
license = "MIT"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    (folder / "net.py").write_text(CODE)
    (folder / "s.toml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def found(place):
    return leaderboard(str(place / "s.toml"), target=Target(out=place / "run"), device="cpu")


def cell(modality, eps, worst, clean=(0.9, 0.9), failed=()):
    return Cell(modality, eps, np.array(clean, float), np.array(worst, float), ("pgd",) * len(worst), failed)


def entry(name, *cells):
    return Measured(Entry(name=name, model="bbsnet"), {"sha256": "0"}, tuple(nested(cells)), 0.1)


def test_the_worst_case_is_of_each_image_and_of_everything_that_is_allowed():
    rows = [{"clean_iou": 0.9, "noise_iou": 0.2, "aware_iou": 0.3, "aware_attack": "apgd"},
            {"clean_iou": 0.6, "noise_iou": 0.6, "aware_iou": 0.4, "aware_attack": "pgd"}]  # fmt: skip
    own = Cell.of("both", 0.02, rows)
    assert own.worst.tolist() == [0.2, 0.4]
    assert own.winners == ("noise", "pgd")
    assert own.row()["fooled"] == own.row()["held"] == 2
    small, other, large = nested([cell("depth", 0.01, (0.1, 0.8)), cell("rgb", 0.02, (0.0, 0.0)), own])
    assert (small.worst.tolist(), other.worst.tolist()) == ([0.1, 0.8], [0, 0])
    assert large.worst.tolist() == [0, 0]
    assert large.winners == ("pgd, rgb 0.02",) * 2
    assert large.failed == ("a smaller budget (rgb 0.02) harms more; take more steps",)
    assert not small.failed and not other.failed


def test_an_image_that_failed_before_is_not_fooled():
    row = cell("rgb", 0.01, (0.1, 0.1), clean=(0.4, 0.8)).row()
    assert (row["held"], row["fooled"], row["share"]["value"]) == (1, 1, 1.0)
    assert cell("rgb", 0.01, (0.1, 0.1), clean=(0.4, 0.4)).row()["share"]["value"] is None


def test_the_order_is_by_score_and_failed_checks_come_last():
    good = entry("good", cell("rgb", 0.01, (0.6, 0.8)), cell("depth", 0.01, (0.4, 0.6)))
    weak = entry("weak", cell("rgb", 0.01, (0.5, 0.7)), cell("depth", 0.01, (0.3, 0.5)))
    odd = entry("odd", cell("rgb", 0.01, (0.9, 0.9), failed=("broken",)), cell("depth", 0.01, (0.9, 0.9)))
    rows = ranked([odd, weak, good])
    assert [(row["name"], row["rank"]) for row in rows] == [("good", 1), ("weak", 2), ("odd", None)]
    assert [row["score"]["value"] for row in rows] == pytest.approx([0.6, 0.5, 0.9])
    # each image loses exactly 0.1: paired, the interval has no width, though those of the scores are wide and overlap
    assert list(rows[1]["above"].values()) == pytest.approx([-0.1, -0.1, -0.1])
    assert rows[0]["above"] is None
    assert rows[0]["score"]["low"] == pytest.approx(0.5) and rows[0]["score"]["high"] == pytest.approx(0.7)
    assert rows[2]["failed"] == ["rgb 0.01: broken"]


def test_a_list_from_end_to_end(found, place):
    document = found.document
    assert problems(document | {"run": "r"}, SCHEMA) == []
    assert document["suite"]["departures"] == ["measured with a suite of one's own"]
    assert {row["name"] for row in found.entries} == {"bare", "behind a median"}
    for row in found.entries:
        scores = {(own["modality"], own["eps"]): own["worst"]["value"] for own in row["cells"]}
        assert scores["both", 8 / 255] <= min(scores["both", 2 / 255], scores["depth", 8 / 255])
        assert row["score"]["value"] <= row["clean"]["value"] + 1e-9
        assert row["score"]["value"] == pytest.approx(np.mean(list(scores.values())))
    alone = json.loads((place / "run" / "entries" / "behind-a-median.json").read_text())
    assert alone["card"]["code_sha256"] == hashlib.sha256(CODE.encode()).hexdigest()
    assert len(alone["images"]) == 2 * 4
    assert alone["versions"]["torch"]
    assert len(list((place / "run" / "networks").iterdir())) == 2 * 4
    assert "bare" in found.summary() and "not an entry" in found.summary()


def test_it_goes_on_where_it_was_stopped(found, place, monkeypatch):
    again = leaderboard(str(place / "s.toml"), target=Target(out=found.folder), device="cpu")
    assert again.reused and again.document == found.document
    file = found.folder / "run.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"status": "interrupted"}))
    monkeypatch.setattr("rgbdsod.run.defense.exam.Exam.take", None)  # nothing is attacked again
    on = leaderboard(str(place / "s.toml"), target=Target(out=found.folder), device="cpu")
    assert not on.reused and on.document == found.document
    with pytest.raises(UsageError, match="this folder was made with"):
        leaderboard(str(place / "s.toml"), images=1, target=Target(out=found.folder), device="cpu")


def test_its_page_and_its_tables(found, tmp_path):
    page = report(found.folder, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert "Worst case by budget" in page and "behind a median" in page
    table = report(found.folder, format="md", out=tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| 1 | " in table and "### Deciding attacks" in table
    lines = report(found.folder, format="csv", out=tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 * 4 * 2
    assert "behind a median" in report(found.folder, format="latex", out=tmp_path / "t.tex").read_text(encoding="utf-8")


def test_its_documentation(found, tmp_path):
    page = tmp_path / "leaderboard.md"
    page.write_text("before\n<!-- measured: leaderboard -->\nold\n<!-- end -->\nafter\n")
    (tmp_path / "assets").mkdir()
    main = runpy.run_path(str(Path(rgbdsod.__file__).parents[1] / "examples" / "make_leaderboard.py"))["main"]
    for _ in range(2):  # the marks stay
        main(found.folder, docs=tmp_path)
        text = page.read_text()
        assert text.startswith(
            "before\n<!-- measured: leaderboard -->\n**Not entries of the leaderboard: measured with"
        )
        assert text.endswith("|\n<!-- end -->\nafter\n") and "old" not in text
    assert "<svg" in (tmp_path / "assets" / "leaderboard.svg").read_text()


def test_the_card_of_the_documentation_has_every_field():
    page = (Path(rgbdsod.__file__).parents[1] / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    card = tomllib.loads(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    assert set(card) == {own.name for own in fields(Entry) if own.name != "folder"}
    board = BOARDS["rgbdsod-mini"]
    assert f"| images | {board.images}, fixed by their fingerprint" in page


def test_a_network_that_reads_one_input_is_what_it_is_under_attacks_on_the_other(place):
    card = place / "c.toml"
    card.write_text(CARD.replace('"bbsnet"', '"net.py:colour"'))
    (place / "o.toml").write_text(
        SUITE.replace('"8/255"', '"2/255"').replace('eps = ["2/255", "2/255"]', 'eps = "2/255"')
    )
    one = leaderboard(str(place / "o.toml"), submissions=[card], allow_code=True, images=1, device="cpu").entries[0]
    depth, both = one["cells"]
    assert depth["attacks"] == {"unread": 1}
    assert depth["worst"]["value"] == depth["clean"]
    assert both["worst"]["value"] <= both["clean"]
    assert one["notes"] == ["reads no depth: attacks on it change nothing, and both is the other input alone"]


def test_the_leaderboard_s_images_are_those_it_says():
    plan = planned()
    assert plan.departures(plan.data()) == []
    assert plan.board is BOARDS["rgbdsod-mini"] and plan.built_in
    fewer = planned(images=2, seed=3)
    assert fewer.departures(fewer.data()) == [f"2 images instead of {plan.board.images}", "seed 3 instead of 0"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (CARD.replace("authors", "author"), UsageError, 'no field "author"; did you mean "authors"?'),
        (CARD.replace('license = "MIT"', ""), UsageError, 'has no license; add license = "...": of the weights'),
        (CARD + 'note = "a\\nb"', UsageError, "note holds a line break"),
        (CARD + "size = 128", UsageError, "size is 128, expected text"),
        (CARD + 'size = "128"', UsageError, 'size = "128": expected HxW'),
        (CARD + 'size = "100x128"', UsageError, "96x128 would do"),
        (CARD + 'defense = "medain"', UsageError, 'no defense "medain"; did you mean "median"?'),
        (CARD + 'defense = "detect+median"', UsageError, "--defense"),
        (CARD + 'fusion = "late"', UsageError, 'got "late"'),
        (CARD + 'sha256 = "12"', UsageError, "sha256 is given, but no weights"),
        (CARD + 'weights = "w.safetensors"', UsageError, "weights need their checksum; add sha256 = "),
        (CARD + 'weights = "w.safetensors"\nsha256 = "12"', WeightsError, "and the card says 12"),
        (CARD + 'weights = "none.safetensors"', WeightsError, "weights is one checkpoint file beside the card"),
        (CARD.replace("bbsnet", "bbs-net"), UsageError, 'no model "bbs-net"; did you mean "bbsnet"?'),
        (CARD.replace('"bbsnet"', '"bbsnet.paper"'), WeightsError, "bbsnet.paper has no built-in weights"),
        (CARD.replace('"bbsnet"', '"none.py:build"'), DataError, "with a file beside the card"),
        (CARD.replace('"bbsnet"', '"net.py"'), UsageError, "write FILE.py:function"),
        (CARD.replace('"mine"', '"?"'), UsageError, "no letter or digit"),
        ("name = ", UsageError, "is not a TOML file"),
    ],
)  # fmt: skip
def test_a_card_that_cannot_be(tmp_path, text, kind, message):
    (tmp_path / "w.safetensors").write_bytes(b"")
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(RgbdsodError) as error:
        read_card(tmp_path / "card.toml")
    assert type(error.value) is kind
    assert message in str(error.value) and str(tmp_path / "card.toml") in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_of_the_right_checksum_are_taken_and_pickles_are_not_run(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"\x80\x02cposix\nsystem\n.")
    own = hashlib.sha256((tmp_path / "w.pt").read_bytes()).hexdigest()
    (tmp_path / "card.toml").write_text(CARD + f'weights = "w.pt"\nsha256 = "{own.upper()}"')
    assert read_card(tmp_path / "card.toml").network.weights == str(tmp_path / "w.pt")
    with pytest.raises(WeightsError):
        leaderboard(submissions=[tmp_path / "card.toml"], device="cpu")


def test_code_of_others_runs_only_if_allowed(tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit")
    (tmp_path / "card.toml").write_text(CARD.replace('"bbsnet"', '"evil.py:build"'))
    with pytest.raises(UsageError, match=r"runs .*evil\.py; read that file, then add --allow-code"):
        planned(submissions=[tmp_path / "card.toml"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[entry]]\nname = 'a'\nmodel = 'bbsnet'", "has no data"),
        ("device = 1\n" + SUITE, 'no field "device"'),
        (SUITE.replace("images = 2", 'images = "2"'), "images is '2', expected a whole number"),
        (SUITE.replace("images = 2", "images = 0"), "--images 0: pass 1 or more"),
        (SUITE.replace('"depth", "both"', '"thermal"'), 'modality "thermal"; expected rgb, depth, both'),
        (SUITE.replace('"8/255"', '"8"'), "did you mean 8/255?"),
        (SUITE.replace("median(window=3)", "medain"), 'entry 2: no defense "medain"'),
        (SUITE.replace('"bare"', '"behind a Median"'), 'two entries are called'),
    ],
)  # fmt: skip
def test_a_suite_that_cannot_be(tmp_path, text, message):
    (tmp_path / "net.py").write_text(CODE)
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        planned(str(tmp_path / "s.toml"))
    assert message in str(error.value)


def test_which_suites_are_leaderboards(place):
    assert is_board("rgbdsod-mini") and is_board(str(place / "s.toml"))
    assert not is_board("quick,standard") and not is_board("none.toml")
    with pytest.raises(UsageError, match="runs alone"):
        is_board("quick,rgbdsod-mini")
    with pytest.raises(UsageError, match='no leaderboard "quick"'):
        read_board("quick")
