"""An adversarial set says what it is, and each of its files can be checked without this package."""

import hashlib
import json

import pytest
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.run.manifest import licence_note


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attack") / "run"
    rs.attack(tiny(), scenes(3), eps={"depth": [4 / 255, 16 / 255]}, steps=2, out=folder, save_adversarial=True, seed=5)
    return folder


def test_every_file_is_listed_with_its_checksum(folder):
    listed = {file["name"]: file for file in read(folder)["files"]}
    found = {
        str(path.relative_to(folder / "adversarial")): path.read_bytes()
        for path in (folder / "adversarial").rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert listed.keys() == found.keys() and len(found) == 3 * 4 + 1
    for name, content in found.items():
        assert listed[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert listed[name]["bytes"] == len(content)


def test_it_says_what_was_done(folder):
    manifest = read(folder)
    record = json.loads((folder / "run.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert manifest["schema"] == "rgbdsod.adversarial-set/1"
    assert manifest["model"]["sha256"] == record["model"]["sha256"]
    assert manifest["data"]["fingerprint"] == scenes(3).fingerprint
    assert manifest["data"]["licence"] == "scenes: MIT; it applies to pictures derived from them"
    assert manifest["seed"] == 5 and manifest["settings"] == record["settings"]
    assert manifest["attack"]["budget"] == metrics["results"][-1]["budget"], "the files are those of the last radius"
    assert manifest["measured"]["attacked"] == metrics["results"][-1]["attacked"]["benchmark"]["values"]
    assert "adversarial/manifest.json" in record["files"]


def test_a_clean_evaluation_has_none(tmp_path):
    rs.evaluate(tiny(), scenes(2), out=tmp_path / "run")
    assert not (tmp_path / "run" / "adversarial").exists()


@pytest.mark.parametrize(
    ("data", "begin"),
    [
        ("demo:real", "demo: MIT;"),
        ("scenes:80+2*demo:train", "scenes: MIT; demo: MIT;"),
        ("NJU2K", "NJU2K: not stated by the source; research use"),
        ("my-photographs", "not known: the licence of my-photographs applies"),
    ],
)
def test_licences(data, begin):
    assert licence_note(data).startswith(begin)


def read(folder):
    return json.loads((folder / "adversarial" / "manifest.json").read_text())
