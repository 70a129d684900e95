"""An ablation from training to document, and what an interruption costs."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_schema import problems

import rgbdsod as rs
from rgbdsod.cli.main import run
from rgbdsod.errors import WeightsError
from rgbdsod.run import Grid, Schooling, Target
from rgbdsod.run.ablation import ablate as ablate_module
from rgbdsod.run.ablation.grid import Network
from rgbdsod.run.ablation.missing import Missing
from rgbdsod.run.ablation.weights import find_trained, folder_of, trained

SCHEMAS = Path(rs.__file__).parent / "cli" / "schemas"
SCHOOLING = Schooling(data="scenes:8@64x64", iterations=1, batch=2, size=(64, 64))
TEST = "scenes:3@64x64#9"


def grid(**changes):
    usual = {"model": ("unet.small",), "fusion": ("rgb", "early4", "mid"), "seeds": (0,), "schooling": SCHOOLING}
    return Grid(**{**usual, "eps": (2 / 255, 8 / 255), "steps": 1, **changes})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("ablation")


@pytest.fixture(scope="module")
def result(place):
    return rs.ablate(grid(), TEST, weights=place / "weights", target=Target(out=place / "run"), device="cpu")


def test_every_network_meets_every_condition(result):
    found = {(row["fusion"], row["attack"], row["modality"], round(row["eps"] * 255)) for row in result.cells}
    fused = {("clean", "none", 0), ("missing", "rgb", 0), ("missing", "depth", 0)}
    fused |= {("pgd", modality, eps) for modality in ("rgb", "depth", "both") for eps in (2, 8)}
    single = {("clean", "none", 0), ("pgd", "rgb", 2), ("pgd", "rgb", 8)}
    expected = {("rgb", *rest) for rest in single} | {(name, *rest) for name in ("early4", "mid") for rest in fused}
    assert found == expected and len(result.cells) == len(expected)


def test_cells_are_those_of_the_plain_commands(result, place):
    """Every number can be had again with the trained weights and `rgbdsod.attack`."""
    network = find_trained(Network("unet.small", "mid", "plain", 0), SCHOOLING, place / "weights")
    again = rs.attack(network.load("cpu"), TEST, "pgd", modality="depth", eps=[2 / 255, 8 / 255], steps=1)
    rows = [row for row in result.cells if (row["fusion"], row["attack"], row["modality"]) == ("mid", "pgd", "depth")]
    for row, own in zip(rows, again.metrics["results"], strict=True):
        assert row["sm"] == own["attacked"]["benchmark"]["values"]["sm"]
    evaluated = rs.evaluate(network.load("cpu"), Missing(rs.load_dataset(TEST), "rgb"), metrics=["sm"])
    (lost,) = [
        row for row in result.cells if (row["fusion"], row["attack"], row["modality"]) == ("mid", "missing", "rgb")
    ]
    assert lost["sm"] == evaluated.values["sm"]


def test_means_are_those_of_the_images(result):
    for row in result.table:
        (cell,) = [
            own for own in result.cells if all(own[key] == row[key] for key in ("fusion", "attack", "modality", "eps"))
        ]
        assert row["mean"] == pytest.approx(cell["sm"])
        assert row["low"] <= row["mean"] <= row["high"] and row["seeds"] == [pytest.approx(row["mean"])]


def test_transfer_between_designs_of_two_inputs(result):
    pairs = [(row["source"], row["target"]) for row in result.document["transfer"]]
    assert pairs == [(a, b) for a in ("early4", "mid") for b in ("early4", "mid")]
    assert {(row["attack"], row["modality"]) for row in result.document["transfer"]} == {("pgd", "both")}


def test_summary_has_a_row_for_each_design(result):
    lines = result.summary().splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["rgb", "early4", "mid"]
    assert "pgd both 8/255" in lines[0] and "missing depth" in lines[0]


def test_document_fits_its_schema(result):
    schema = json.loads((SCHEMAS / "ablation-1.json").read_text())
    assert problems(result.document, schema) == []
    assert json.loads((result.folder / "ablation.json").read_text()) == result.document


def test_a_finished_ablation_is_read_again(result, place):
    again = rs.ablate(grid(), TEST, weights=place / "weights", target=Target(out=place / "run"), device="cpu")
    assert again.reused and again.document == result.document


def test_an_interrupted_ablation_goes_on_where_it_was(result, place, monkeypatch):
    """Stopped at the second network: the first is neither trained nor attacked again, and the document is the same."""
    real, seen = ablate_module.measure_network, []

    def stops(*arguments, **options):
        seen.append(arguments[1].fusion)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(ablate_module, "measure_network", stops)
    with pytest.raises(KeyboardInterrupt):
        rs.ablate(grid(), TEST, weights=place / "other", target=Target(out=place / "other run"), device="cpu")
    assert json.loads((place / "other run" / "run.json").read_text())["status"] == "interrupted"
    monkeypatch.undo()
    made = sorted((place / "other run" / "networks").rglob("metrics.json"))
    before = {path: path.stat().st_mtime_ns for path in [*made, *(place / "other").rglob("weights.safetensors")]}
    again = rs.ablate(grid(), TEST, weights=place / "other", target=Target(out=place / "other run"), device="cpu")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.document == result.document


def test_other_settings_in_the_same_folder_are_refused(result, place):
    with pytest.raises(rs.errors.UsageError, match=r"steps=1, now 2"):
        rs.ablate(grid(steps=2), TEST, weights=place / "weights", target=Target(out=place / "run"), device="cpu")


def test_weights_are_kept_by_what_they_depend_on(tmp_path):
    network = Network("unet.small", "early4", "plain", 0)
    others = [
        (Network("unet.small", "early4", "plain", 1), SCHOOLING),
        (Network("unet.small", "early4", "dropout", 0), SCHOOLING),
        (Network("unet.small", "mid", "plain", 0), SCHOOLING),
        (network, Schooling(data="scenes:8@64x64", iterations=2, batch=2, size=(64, 64))),
    ]
    folders = {folder_of(*pair, tmp_path) for pair in [(network, SCHOOLING), *others]}
    assert len(folders) == 5 and folder_of(network, SCHOOLING, tmp_path) in folders


def test_changed_weights_are_refused(tmp_path):
    found = trained(Network("unet.small", "early4", "plain", 0), SCHOOLING, tmp_path, device="cpu")
    found.path.write_bytes(found.path.read_bytes()[:-4] + b"\x01\x02\x03\x04")
    with pytest.raises(WeightsError, match="changed since it was trained"):
        found.load("cpu")


def test_missing_input_says_nothing():
    data = rs.load_dataset(TEST)
    for name, other in (("rgb", "depth"), ("depth", "rgb")):
        lost = Missing(data, name)
        assert lost.fingerprint != data.fingerprint and lost.sizes() == data.sizes()
        values = getattr(lost[0], name)
        assert np.ptp(values.reshape(-1, values.shape[-1]) if name == "rgb" else values.ravel(), axis=0).max() == 0
        assert (getattr(lost[0], other) == getattr(data[0], other)).all()


def test_command_line(tmp_path, monkeypatch, capsys, place, result):
    """The command finds the networks that the call trained, and its numbers."""
    monkeypatch.chdir(tmp_path)
    flags = ["--model", "unet.small", "--fusion", "rgb,early4,mid", "--seeds", "0", "--train-data", "scenes:8@64x64"]
    flags += ["--iterations", "1", "--train-batch", "2", "--size", "64x64", "--eps", "2/255,8/255", "--steps", "1"]
    flags += ["--data", TEST, "--cache", str(place / "weights"), "--device", "cpu"]
    assert run(["ablate", *flags, "--json", "--dry-run"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert problems(plan, json.loads((SCHEMAS / "plan-1.json").read_text())) == [] and plan["training"] == 0
    assert run(["ablate", *flags, "--json", "--no-progress"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["table"] == result.table
    config = Path(document["run"]) / "config.toml"
    assert run(["ablate", "--config", str(config), "--cache", str(place / "weights"), "--device", "cpu"]) == 0
    assert "read from its folder" in capsys.readouterr().out
