"""The transfer matrix: examples made on each model, measured on all."""

import csv
import json
from pathlib import Path

import pytest
import torch
from cli_schema import problems
from run_models import StandsOut, scenes

import rgbdsod as rs
from rgbdsod.cli.main import run
from rgbdsod.errors import UsageError
from rgbdsod.models import build_model, reads_hha, wrap
from rgbdsod.run import AttackSettings
from rgbdsod.run.transfer import HELD_OUT, transfer_matrix

EPS = {"depth": 16 / 255}
SCHEMA = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "transfer-1.json"


def model(name="a", rgb=9.0, depth=14.0):
    """Finds what stands out, by colour or by depth."""
    network = StandsOut()
    network.gain.data = torch.tensor([rgb, depth])
    return wrap(network, name=name).eval()


def three():
    """Two that look at depth, and one that looks at colour."""
    return [model("a"), model("twin of a"), model("colour", rgb=20.0, depth=3.0)]


@pytest.fixture(scope="module")
def matrix():
    return transfer_matrix(three(), scenes(), eps=EPS, steps=3)


def cells(matrix):
    return {(cell.source, cell.target): cell for cell in matrix.cells}


def test_every_source_meets_every_target(matrix):
    names = ["a", "twin of a", "colour"]
    assert [(cell.source, cell.target) for cell in matrix.cells] == [(s, t) for s in [*names, HELD_OUT] for t in names]
    assert [cell.target for cell in matrix.clean] == names
    assert (matrix.images, matrix.data) == (4, "scenes:4@32x32#3")


def test_the_diagonal_is_the_attack_on_that_model(matrix):
    for each in three():
        cell = cells(matrix)[each.name, each.name]
        alone = rs.attack(each, scenes(), "mifgsm", eps=EPS, steps=3).document()
        for measure, value in cell.attacked.items():
            assert value == alone["attacked"][measure]
            assert cell.change[measure] == pytest.approx(value - alone["clean"][measure])
            assert cell.raw[measure] == alone["raw"]["attacked"][measure]
        assert cell.fooled == alone["fooled"]


def test_examples_of_a_twin_are_those_of_the_model_itself(matrix):
    found = cells(matrix)
    assert found["twin of a", "a"].attacked == found["a", "a"].attacked
    assert found["a", "a"].change["sm"] < 0


def test_the_held_out_source_is_the_ensemble_of_the_others(matrix):
    """Of two twins the ensemble is each of them."""
    found = cells(matrix)
    for measure, value in found[HELD_OUT, "colour"].attacked.items():
        assert value == pytest.approx(found["a", "colour"].attacked[measure], abs=2e-3)
    assert found[HELD_OUT, "a"].attacked != found["twin of a", "a"].attacked


def test_of_two_models_none_is_an_ensemble():
    models = three()[1:]
    matrix = transfer_matrix(models, scenes(2), eps=EPS, steps=1)
    assert HELD_OUT not in {cell.source for cell in matrix.cells}


@pytest.mark.parametrize("combine", ["probabilities", "loss"])
def test_ways_to_combine(matrix, combine):
    other = transfer_matrix(three(), scenes(), eps=EPS, steps=3, combine=combine)
    assert cells(other)["a", "colour"] == cells(matrix)["a", "colour"]
    assert cells(other)[HELD_OUT, "a"] != cells(matrix)[HELD_OUT, "a"]


def test_the_batch_changes_nothing(matrix):
    alone = transfer_matrix(three(), scenes(), eps=EPS, steps=3, batch=1)
    assert [cell.fooled for cell in alone.cells] == [cell.fooled for cell in matrix.cells]
    for one, other in zip(alone.cells, matrix.cells, strict=True):
        assert one.attacked == pytest.approx(other.attacked, abs=2e-3)


def test_files(matrix, tmp_path):
    matrix.save(tmp_path / "here")
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["matrix.csv", "matrix.json"]
    document = json.loads((tmp_path / "here" / "matrix.json").read_text())
    assert document == json.loads(json.dumps(matrix.document()))
    with (tmp_path / "here" / "matrix.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 + 12
    assert float(rows[3]["change_sm"]) == matrix.cells[0].change["sm"]
    assert int(rows[3]["fooled"]) == matrix.cells[0].fooled


def test_what_makes_no_matrix():
    colour_only = wrap(torch.nn.Conv2d(3, 1, 1), name="one", inputs=("rgb",)).eval()
    cases = {
        "--models a: a transfer matrix needs two or more": [model("a")],
        "--models names a twice": [model("a"), model("a")],
        "a has inputs rgb, depth, but one has rgb; a transfer matrix is of": [model("a"), colour_only],
    }
    for message, models in cases.items():
        with pytest.raises(UsageError, match=message):
            transfer_matrix(models, scenes(1), eps=EPS if len(models) == 1 else 0.01)
    with pytest.raises(UsageError, match="--eps has 2 values; a transfer matrix has one radius"):
        transfer_matrix(three(), scenes(1), eps=(0.01, 0.02))
    with pytest.raises(UsageError, match="--combine mean: expected logits, probabilities, loss"):
        transfer_matrix(three(), scenes(1), combine="mean")
    with pytest.raises(UsageError, match='attack "mifgsm" takes no --draws'):
        transfer_matrix(three(), scenes(1), draws=3)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`rgbdsod transfer` of three small models in an empty folder; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    lines = ["import sys", f"sys.path.append({str(Path(__file__).parent)!r})", "from test_transfer import model"]
    lines += [f"def {name}():\n    return model({name!r}, {gain})" for name, gain in (("x", 5), ("y", 9), ("z", 20))]
    (tmp_path / "m.py").write_text("\n".join(lines) + "\n")

    def answer(*words):
        capsys.readouterr()
        code = run(["transfer", "--data", "scenes:2@32x32#3", "--steps", "1", *words])
        return code, *capsys.readouterr()

    return answer


def test_command(call):
    models = ["--models", "m.py:x,m.py:y,m.py:z"]
    code, out, err = call(*models, "--modality", "depth", "--eps", "8/255", "--out", "here")
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == [
        "models  x, y, z",
        "data    scenes:2@32x32#3   2 images   float32, seed 0",
        "attack  mifgsm   linf, rgb untouched, depth 8/255",
    ]
    for source in ("clean", "x", "y", "z", "held-out"):
        assert f"\n{source} " in out
    assert "fooled: IoU below 0.5, of 2 images" in out
    assert out.splitlines()[-1] == "saved   here/matrix.json and matrix.csv"
    code, out, err = call(*models, "--modality", "depth", "--eps", "8/255", "--json")
    document, schema = json.loads(out), json.loads(SCHEMA.read_text())
    assert problems(document, schema) == []
    assert document["settings"]["eps_depth"] == [8 / 255]
    assert problems(json.loads(Path("here/matrix.json").read_text()), schema) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "bbsnet"], "--models bbsnet: a transfer matrix needs two or more"),
        (["--models", "bbsnet,bbs-net"], 'no model "bbs-net"; did you mean "bbsnet"?'),
        (["--models", "bbsnet,bbsnet"], "--models names bbsnet twice"),
        (["--eps", "2/255,4/255"], "--eps has 2 values"),
        (["--combine", "mean"], "--combine mean: expected"),
        (["--set", "stepz=3"], 'no setting "stepz"; did you mean "steps"? (rgbdsod transfer --help)'),
        (["--modality", "hha"], "--modality hha: bbsnet has inputs rgb, depth"),
    ],
)
def test_bad_commands(call, words, message):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_networks_that_read_hha():
    """The examples of one are HHA images, which the other reads."""
    pair = [reads_hha(build_model("unet.small", fusion="early6", seed=seed, device="cpu")) for seed in (0, 1)]
    pair[1].name = "other"
    found = transfer_matrix(pair, "scenes:2@64x64", "pgd", modality="hha", eps=16 / 255, steps=2)
    alone = rs.attack(pair[0], "scenes:2@64x64", "pgd", modality="hha", eps=16 / 255, steps=2).document()
    assert found.cells[0].attacked["sm"] == alone["attacked"]["sm"]
    with pytest.raises(UsageError, match="--space depth: a transfer matrix"):
        transfer_matrix(pair, "scenes:2@64x64", settings=AttackSettings(attack="pgd", space="depth"))
