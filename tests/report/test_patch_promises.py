"""Pages of certificates and of cross-modal maps: their numbers, and what must be known to read them."""

import json

import pytest
from run_models import tiny

from rgbdsod.datasets import ShapeScenes
from rgbdsod.report import report
from rgbdsod.report.patch.crossing import maps_tables
from rgbdsod.report.reading import read_run
from rgbdsod.run import certify_detections, certify_maps


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "maps"
    return certify_maps(tiny(), "scenes:1@32x32#3", sizes="3x3", aims="recovery", modality="rgb", out=out)


def test_certificates_of_maps_have_their_size_their_input_and_their_price(maps):
    text = report(maps.folder, format="md").read_text()
    row = maps.rows[0]
    assert "3x3" in text and f"{row['certified']:.3f}" in text and f"{row['iou_least']:.3f}" in text
    page = report(maps.folder).read_text()
    assert "no attack was run" in page and "<svg" in page
    assert "Price: what the defended map loses without an attack" in page
    assert report(maps.folder, format="csv").read_text().startswith("run,")


def test_certificates_of_boxes_say_what_they_do_not_promise(tmp_path):
    run = certify_detections(
        "fcos.tiny", ShapeScenes(1, seed=3), sizes="4x4", lines=10, device="cpu", out=tmp_path / "run"
    )
    page = report(run.folder).read_text()
    assert "It says nothing of false boxes" in page
    assert f"{run.rows[0]['certified_apart']:.3f}" in page


def written(folder, images):
    """A run of `patch maps` with known numbers, in the form in which such a run writes them."""
    names = ["sticker", "crop", "card", "rgb noise", "depth"]
    aurocs = dict.fromkeys(names, 0.6)
    base = {"baseline": False, "auroc": aurocs, "apart": 0.55, "aware": None}
    knows = {"column": "influence 1", "weight": 1.0, "auroc": 0.321, "harm": 0.2}
    rows = [
        {**base, "map": "energy", "baseline": True},
        {**base, "map": "influence rgb", "apart": 0.987, "aware": knows},
    ]
    about = {"accused": 0.5, "seen": 0.75, "named": 1.0}
    return {"maps": rows, "columns": names, "harm": dict.fromkeys(names, 0.1), "attribution": {"rgb noise": about},
            "no_place": ["left"], "decision": None, "warnings": [], "images": images, "model": "tiny", "data": "scenes",
            "command": "patch maps", "note": None}  # fmt: skip


def test_maps_show_stickers_beside_patches_and_how_few_images_there_were(maps, tmp_path):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(maps.folder, folder)
    (folder / "metrics.json").write_text(json.dumps(written(folder, 4)))
    known = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**known, "command": "patch maps", "files": {}}))
    page = report(folder).read_text()
    assert "3 images say little of others." in page and "no place for a patch: left" in page
    assert "influence rgb tells patches in RGB from stickers best, by an AUROC of 0.987" in page
    assert "0.321" in page and "no attack" in page
    table = maps_tables(read_run(folder))[0]
    assert table.rows[0].cells[0] == "energy *"
    assert table.rows[-1].cells[:2] == ("IoU lost", 0.1)
