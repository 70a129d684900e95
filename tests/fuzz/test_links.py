"""What leads out of a folder, and what is no file: names with "..", symbolic links, pipes, missing parts."""

import json
import os
import shutil
from pathlib import Path

import pytest
from fuzz_check import attempt
from fuzz_images import encoded, picture
from report_runs import write_attack

from rgbdsod.errors import RgbdsodError
from rgbdsod.foreign.files import UnfitError, below, is_within, read_bytes
from rgbdsod.report import report
from rgbdsod.report.reading import read_run


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "..", "a\0b"])
def test_a_name_that_leads_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="which is not in"):
        below(tmp_path, name)


def test_names_of_the_folder(tmp_path: Path) -> None:
    assert below(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"
    assert below(tmp_path, "a..b") == tmp_path / "a..b"


def test_pictures_outside_of_a_run_are_not_shown(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "run", pictures=1)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "rgb.png").write_bytes(encoded(picture()))
    (folder / "images" / "two").symlink_to(secret)
    (folder / "images" / "one" / "extra.png").symlink_to(secret / "rgb.png")
    run = read_run(folder)
    assert "extra" not in run.pictures("one")
    assert "rgb" in run.pictures("one")
    assert run.pictures("two") == {}
    assert run.pictures("../../secret") == {}
    assert run.pictures(str(secret)) == {}


def test_a_run_behind_a_link_keeps_its_pictures(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "run", pictures=1)
    (tmp_path / "link").symlink_to(folder)
    assert "rgb" in read_run(tmp_path / "link").pictures("one")
    assert is_within(tmp_path / "link", folder / "images")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnfitError, match="pipe or a device"):
        read_bytes(tmp_path / "pipe")
    folder = write_attack(tmp_path / "run", pictures=0)
    (folder / "metrics.json").unlink()
    os.mkfifo(folder / "metrics.json")
    with pytest.raises(RgbdsodError, match="pipe or a device"):
        report(folder)


def test_an_export_writes_into_its_folder_alone(tmp_path: Path) -> None:
    from rgbdsod.run.patch.export import export_patches

    run = tmp_path / "run"
    images = [{"id": 1, "file_name": "RGB/../../../stolen.png", "height": 4, "width": 4}]
    documents = {
        "run.json": {"command": "patch make", "status": "finished", "settings": {}, "data": {"name": "x"}},
        "metrics.json": {},
        "patches.json": {"images": images, "annotations": [], "categories": []},
    }
    for role in ("RGB", "depth", "GT"):
        (run / "adversarial" / role).mkdir(parents=True)
    for name, document in documents.items():
        (run / name).write_text(json.dumps(document))
    (tmp_path / "stolen.png").write_bytes(b"")
    with pytest.raises(RgbdsodError, match="which is not in"):
        export_patches(run, tmp_path / "a" / "b" / "out")
    assert not list(tmp_path.glob("a/**/*.png"))


@pytest.mark.parametrize("gone", ["run.json", "config.toml", "metrics.json", "samples.csv", "log.jsonl", "images"])
def test_a_part_of_a_run_that_is_missing(gone: str, tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "run", pictures=1)
    path = folder / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert attempt(lambda: report(folder, format="md")) is None
