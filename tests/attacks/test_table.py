"""The tables of attacks, and the room's public face."""

import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import rgbdsod.attacks
from rgbdsod.attacks import ATTACKS
from rgbdsod.attacks.budget import NORMS

SYNONYMS = {"epsilon", "alpha", "num_steps", "n_iter", "iterations", "max_iter", "lr", "n_restarts", "p", "device"}


@pytest.mark.parametrize("row", list(ATTACKS), ids=lambda row: row.name)
def test_row(row):
    signature = inspect.signature(row.load())
    assert list(signature.parameters)[:3] == ["problem", "inputs", "threat"]
    assert not SYNONYMS & set(row.parameters())
    assert set(row.norms) <= set(NORMS)
    assert row.summary
    assert row.paper
    assert row.passes
    assert row.knowledge in ("white", "score", "decision", "none")


def test_parameters_are_the_attacks_own():
    assert ATTACKS["fgsm"].parameters() == {}
    assert set(ATTACKS["pgd"].parameters()) == {"steps", "step_size", "restarts", "random_start", "keep"}
    assert ATTACKS["pgd"].parameters()["steps"] == 20
    assert ATTACKS["noise"].parameters() == {"kind": "uniform", "draws": 1}


def test_unknown_attack():
    with pytest.raises(ValueError, match='no attack "pdg"; did you mean "pgd"') as caught:
        ATTACKS["pdg"]
    assert "rgbdsod list attacks" in str(caught.value)


def test_tables_and_room_import_no_torch():
    code = "import sys, rgbdsod.attacks.table; print(sorted({'torch', 'numpy', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


def test_public_names_exist_and_hide_no_module():
    modules = {path.stem for path in Path(rgbdsod.attacks.__file__).parent.glob("*.py")}
    for name in rgbdsod.attacks.__all__:
        assert getattr(rgbdsod.attacks, name) is not None
        assert name not in modules


@pytest.mark.parametrize("name", ["scored", "threat"])
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(f"rgbdsod.attacks.{name}"))
    assert result.attempted
    assert not result.failed
