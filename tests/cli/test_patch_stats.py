"""`rgbdsod patch stats` as a command, and the flags of natural patches."""

import json
from pathlib import Path

import pytest
import torch
from cli_schema import problems

from rgbdsod.attacks import Patch

SCHEMA = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "patch-stats-1.json"
MAKE = ["patch", "make", "--model", "m.py:build", "--data", "scenes:3@32x32#3", "--steps", "2", "--size", "12%",
        "--where", "random", "--modality", "rgb"]  # fmt: skip


def test_runs_of_several_radii_beside_photographs(call, tmp_path):
    for tau in ("0.5", "2"):
        answer = call(*MAKE, "--natural", "vae", "--tau", tau, "--out", f"vae-{tau}")
        assert answer.code == 0, answer.err
    answer = call("patch", "stats", "vae-0.5", "vae-2", "--out", "stats", "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert problems(document, json.loads(SCHEMA.read_text())) == []
    near, far = document["sets"]
    assert [(own["natural"], own["radius"], own["patches"]) for own in (near, far)] == [
        ("vae", 0.5, 3),
        ("vae", 2.0, 3),
    ]
    assert near["effect"] is not None
    assert near["seen"]["size"] == near["file"]["size"]
    for name in ("spectra.svg", "distances.svg"):
        drawn = (tmp_path / "stats" / name).read_text()
        assert drawn.startswith("<svg") and "var(--" not in drawn
    assert "IoU lost beyond the worst control" in (tmp_path / "stats" / "distances.svg").read_text()

    again = call("patch", "stats", "--config", "stats/config.toml", "--out", "other", "--dry-run", "--json")
    assert json.loads(again.out)["settings"] == document["settings"]
    assert "done    already" in call("patch", "stats", "vae-0.5", "vae-2", "--out", "stats").out
    assert call("report", "stats", "--out", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert all(text in page for text in ("Beside photographs", "noisy crops", "FD-random", "Radial power"))
    for form in ("csv", "md", "latex"):
        assert call("report", "stats", "--format", form, "--out", f"t.{form}").code == 0
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 8


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "patch stats needs patches; pass the patch.png of a run, or a run folder"),
        (["no.png"], "no no.png; pass the patch.png of a run, or a run folder"),
        (["p", "--appearances", "4"], "--appearances 4 say little of a distribution; pass 256 or more"),
        (["p", "--embedder", "inception"], "--embedder inception needs the original weights; pass --weights FILE"),
        (["p", "--embedder", "inception", "--weights", "p/patch.png"], "FID: sha256 is"),
    ],
)
def test_what_cannot_be_measured(call, tmp_path, arguments, text):
    Patch(torch.ones(1, 16, 16), torch.rand(3, 16, 16)).save(tmp_path / "p")
    answer = call("patch", "stats", *arguments)
    assert answer.code != 0
    assert answer.err.startswith(f"rgbdsod: {text}")
    assert answer.err.count("\n") == 1


def test_generators_that_are_not_there(call):
    answer = call(*MAKE, "--natural", "file")
    assert (
        answer.err == "rgbdsod: --natural file draws from a file of yours; pass --generator FILE.safetensors, or vae\n"
    )
    answer = call(*MAKE, "--natural", "file", "--generator", "no.safetensors", "--out", "run")
    assert answer.err.startswith("rgbdsod: no generator no.safetensors;")
