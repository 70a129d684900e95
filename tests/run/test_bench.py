"""Grids over both worlds: which numbers, what is computed anew, what fails, one table, one page."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_schema import problems
from safetensors.torch import save_file

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.report import report
from rgbdsod.report.benchmark.figures import write_bench_figures
from rgbdsod.run import Share, Target, bench
from rgbdsod.run.attack_task import AttackTask

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "bench-1.json").read_text(encoding="utf-8")
)
ZERO_SHOT = """
[[block]]
world = "zero-shot"
model = "clip.demo"
data = ["glyphs:pairs", "glyphs:textures"]
attack = ["fgsm", "pgd-1"]
modality = "image"
eps = ["2/255", 0.0]
images = 3
"""
SALIENCY = """
[[block]]
model = "m.py:build"
weights = "{training}-{seed}.safetensors"
training = ["plain"]
data = "scenes:3@32x32#7"
attack = "fgsm"
modality = ["rgb", "both"]
eps = ["8/255"]
seeds = [0, 1]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a small model, its weights of several trainings and seeds, and a suite."""
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text("from run_models import tiny as build\n")
    for place, name in enumerate(("plain-0", "plain-1", "plain-2", "hard-0", "hard-1")):
        save_file({"gain": torch.tensor([9.0 - place, 14.0])}, f"{name}.safetensors")
    Path("s.toml").write_text(SALIENCY)
    return tmp_path


@pytest.fixture
def computed(monkeypatch):
    """Images that attacks on maps compute from now on."""
    images = []
    compute = AttackTask.compute
    monkeypatch.setattr(
        AttackTask, "compute", lambda self, part, *rest: images.extend(part) or compute(self, part, *rest)
    )
    return images


def run(text=None, **options):
    if text is not None:
        Path("s.toml").write_text(text)
    return bench("s.toml", target=Target(out="r"), device="cpu", **options)


def files(folder):
    """Content and time of change of every file of the cells, by name."""
    found = [path for path in Path(folder, "networks").rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_both_worlds_in_one_table(place):
    found = run(SALIENCY + ZERO_SHOT)
    rows = found.rows
    assert [(row["network"], row["attack"], row["eps"], row["seeds"]) for row in rows] == [
        ("m.py:build, plain", "fgsm", 8 / 255, [0, 1]), ("m.py:build, plain", "fgsm", 8 / 255, [0, 1]),
        ("clip.demo", "fgsm", 2 / 255, [0]), ("clip.demo", "fgsm", 0.0, [0]), ("clip.demo", "pgd-1", 2 / 255, [0]),
        ("clip.demo", "pgd-1", 0.0, [0]),
    ]  # fmt: skip
    assert [row["images"] for row in rows] == [3, 3, 6, 6, 6, 6]
    for row in rows:
        assert row["attacked"] <= row["clean"] + 0.02
        assert row["eps"] or row["loss"]["value"] == 0 == row["fooled"]
    assert problems(found.document | {"run": "r"}, SCHEMA) == []
    assert "m.py:build, plain" in found.summary() and "0,1" in found.summary()
    assert not list(Path("r").rglob("*.png"))  # a grid keeps numbers, not pictures
    assert run().reused

    page = report("r", out="page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2 and "Share fooled" in page
    table = report("r", format="md", out="t.md").read_text(encoding="utf-8")
    assert "| m.py:build, plain | rgb |" in table
    lines = report("r", format="csv", out="t.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(rows)
    assert all("font-family" in file.read_text() for file in write_bench_figures("r", place))
    with pytest.raises(UsageError, match="a benchmark"):
        report(["r", "r"], compare=True, out="c.html")
    with pytest.raises(UsageError, match="this folder was made with"):
        run(images=2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('["8/255"]', '["4/255", "8/255"]'),
        ("seeds = [0, 1]", "seeds = [0, 1, 2]"),
        ('training = ["plain"]', 'training = ["hard", "plain"]'),
        ('attack = "fgsm"', 'attack = ["pgd-1", "fgsm"]'),
    ],
)
def test_a_suite_that_grows_computes_what_is_new_and_nothing_else(place, computed, before, after):
    old = run()
    kept = files("r")
    assert len(old.document["cells"]) == 4
    computed.clear()
    new = run(SALIENCY.replace(before, after))
    count = len(new.document["cells"]) - 4
    assert count in (2, 4)
    assert len(computed) == 3 * count
    assert {path: of for path, of in files("r").items() if path in kept} == kept
    assert set(old.document["cells"]) < set(new.document["cells"])
    if "seeds" not in before:
        assert all(row in new.rows for row in old.rows)
    fresh = bench("s.toml", device="cpu")
    assert fresh.document == new.document  # as if it had been measured at once
    computed.clear()
    assert run(SALIENCY).document == old.document  # and back
    assert computed == []


def test_what_was_stopped_goes_on(place, computed, monkeypatch):
    compute = AttackTask.compute

    def stop(self, part, *rest):
        if len(computed) == 4:
            raise KeyboardInterrupt
        return compute(self, part, *rest)

    monkeypatch.setattr(AttackTask, "compute", stop)
    with pytest.raises(KeyboardInterrupt):
        run(batch=1)
    assert json.loads(Path("r/run.json").read_text())["status"] == "interrupted"
    monkeypatch.setattr(AttackTask, "compute", compute)
    on = run(batch=1)
    assert len(computed) == 12
    assert on.document == bench("s.toml", device="cpu").document


def test_without_keep_going_nothing_is_computed_when_a_file_is_missing(place, computed):
    with pytest.raises(WeightsError, match=r"no weights plain-9.safetensors; train them first"):
        run(SALIENCY.replace("[0, 1]", "[0, 9]"))
    assert computed == [] and not Path("r").exists()


def test_a_cell_that_fails_is_a_gap_that_says_why_and_is_tried_again(place, computed, monkeypatch):
    compute = AttackTask.compute

    def broken(self, part, *rest):
        if self.plan.modality == "both":
            raise ZeroDivisionError("nothing there")
        return compute(self, part, *rest)

    text = SALIENCY.replace("[0, 1]", "[0, 9]")
    monkeypatch.setattr(AttackTask, "compute", broken)
    found = run(text, keep_going=True)
    assert [own["error"].partition(";")[0] for own in found.failures] == [
        "ZeroDivisionError: nothing there", "no weights plain-9.safetensors", "no weights plain-9.safetensors",
    ]  # fmt: skip
    assert [own["code"] for own in found.failures] == [1, 4, 4]
    assert [(row["modality"], row["seeds"], row["clean"] is None) for row in found.rows] == [
        ("rgb", [0], False), ("both", [], True)
    ]  # fmt: skip
    assert "FAILED" in found.summary() and "nothing there" in found.summary()
    assert problems(found.document, SCHEMA) == []
    page = report("r", out="page.html").read_text(encoding="utf-8")
    assert "could not be measured" in page and "nothing there" in page
    monkeypatch.setattr(AttackTask, "compute", compute)
    computed.clear()
    assert len(run(text, keep_going=True).failures) == 2
    assert len(computed) == 3


def test_without_keep_going_the_first_failure_ends_it(place, monkeypatch):
    def broken(self, part, *rest):
        raise ZeroDivisionError

    monkeypatch.setattr(AttackTask, "compute", broken)
    with pytest.raises(ZeroDivisionError):
        run()
    assert json.loads(Path("r/run.json").read_text())["status"] == "failed"


def test_three_shares_are_one_benchmark(place, computed):
    counts = []
    for index in (1, 2, 0):
        before = len(computed)
        found = run(share=Share(index, 3), batch=1)
        counts.append(len(computed) - before)
    assert sum(counts) == 12 and max(counts) - min(counts) <= 1  # the odd images go round
    assert found.complete and found.document == bench("s.toml", device="cpu").document
    assert json.loads(Path("r/run.json").read_text())["status"] == "finished"
    assert run().reused


def test_a_share_that_ends_first_says_how_far_it_is(place):
    found = run(share=Share(0, 2), batch=1)
    assert not found.complete and "0 of 4 cells are finished" in found.summary()
    assert not Path("r/metrics.json").exists()
    assert run(batch=1).complete  # alone, it does the rest


def test_weights_that_changed_are_measured_again(place, computed):
    run()
    save_file({"gain": torch.tensor([1.0, 2.0])}, "plain-1.safetensors")
    computed.clear()
    run()
    assert len(computed) == 6  # of that seed, under two modalities


def test_data_that_changed_are_refused(place, monkeypatch):
    from rgbdsod.datasets import Scenes

    run()
    Path("r/run.json").write_text(json.dumps(json.loads(Path("r/run.json").read_text()) | {"status": "interrupted"}))
    monkeypatch.setattr(Scenes, "digest", lambda self, position: f"another {position}")
    with pytest.raises(UsageError, match=r"data fingerprint=.*, now .*; use --restart, or another --out"):
        run()


def test_progress_never_goes_back(place):
    told = []
    run(callback=lambda done, total, text: told.append((done, total)))
    assert told[-1] == (4, 4)
    assert all(a[0] <= b[0] for a, b in pairwise(told))


def test_values_are_those_of_an_attack(place):
    import rgbdsod as rs

    row = run(SALIENCY.replace("[0, 1]", "[0]")).rows[0]
    model = rs.load_model("m.py:build", "plain-0.safetensors", device="cpu")
    result = rs.attack(model, "scenes:3@32x32#7", "fgsm", modality="rgb", eps=8 / 255, prepared=True)
    assert row["clean"] == np.mean([own["clean_sm"] for own in result.samples])
    assert row["attacked"] == np.mean([own["attacked_sm"] for own in result.samples])
    assert row["fooled"] == sum(own["fooled"] and not own["fooled_before"] for own in result.samples)
