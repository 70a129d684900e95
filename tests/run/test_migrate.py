"""Old documents are read, newer ones refused."""

import json

import pytest
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.errors import DataError
from rgbdsod.foreign.migrate import migrated
from rgbdsod.report.reading import read_run

TABLE = {
    "card": (
        lambda card: {**card, "name": card["title"]},
        lambda card: {key: value for key, value in card.items() if key != "title"},
    )
}


@pytest.mark.parametrize(
    "document",
    [
        {"schema": "rgbdsod.card/1", "title": "a"},
        {"schema": "rgbdsod.card/2", "title": "a", "name": "a"},
        {"schema": "rgbdsod.card/3", "name": "a"},
    ],
)
def test_every_version_becomes_the_present_one(document):
    stored = dict(document)
    assert migrated(document, "card.json", "card", TABLE) == {"schema": "rgbdsod.card/3", "name": "a"}
    assert document == stored


def test_a_newer_one_asks_for_an_update():
    with pytest.raises(DataError) as error:
        migrated({"schema": "rgbdsod.card/4"}, "card.json", "card", TABLE)
    assert str(error.value) == (
        "card.json was written by a newer rgbdsod "
        "(schema rgbdsod.card/4, this one reads rgbdsod.card/3); update rgbdsod"
    )
    with pytest.raises(DataError, match=r"this one reads rgbdsod\.other/1"):
        migrated({"schema": "rgbdsod.other/2"}, "x", None, TABLE)


@pytest.mark.parametrize("schema", [None, 7, "rgbdsod.run", "rgbdsod.run/0", "rgbdsod.metrics/1", "other.run/1"])
def test_something_else_is_refused(schema):
    with pytest.raises(DataError, match=r"has schema .*, expected rgbdsod.run/N"):
        migrated({"schema": schema}, "run.json", "run")


def test_without_a_schema_what_may_lack_one_stays_as_it_is():
    assert migrated({"mae": 0.1}, "metrics.json") == {"mae": 0.1}


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
def test_readers_of_run_folders_refuse_newer_documents(tmp_path, name):
    def evaluate():
        return rs.evaluate(tiny(), scenes(2), out=tmp_path / "run")

    evaluate()
    for file, change in ((name, {"schema": json.loads((tmp_path / "run" / name).read_text())["schema"][:-1] + "9"}),
                         ("run.json", {"files": {}})):  # fmt: skip
        path = tmp_path / "run" / file
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    for read in (evaluate, lambda: read_run(tmp_path / "run")):
        with pytest.raises(DataError, match=f"{name} was written by a newer rgbdsod .*; update rgbdsod"):
            read()
