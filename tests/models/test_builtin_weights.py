"""The built-in networks work, use both inputs, and are what their records say."""

import json
from pathlib import Path

import pytest

import rgbdsod
from rgbdsod.datasets import TEST_SEED, load_dataset
from rgbdsod.run.validate import dependence, validate

NAMES = ("bbsnet", "jldcf", "d3net", "bbsnet.robust")
ASSETS = Path(rgbdsod.__file__).parent / "models" / "assets"


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_network_finds_objects_and_needs_both_inputs(name: str) -> None:
    """On scenes never seen in training; swapping one input for another image's must cost."""
    figures = dependence(rgbdsod.load_model(name, device="cpu"), load_dataset(f"scenes:96@128x128#{TEST_SEED + 2}"))
    assert figures["clean"]["sm"] >= 0.85
    assert figures["clean"]["sm"] - figures["depth swapped"]["sm"] >= 0.05
    assert figures["clean"]["sm"] - figures["rgb swapped"]["sm"] >= 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_record_beside_the_weights_is_true(name: str) -> None:
    record = json.loads((ASSETS / f"{name}.json").read_text())
    assert (ASSETS / f"{name}.safetensors").stat().st_size == record["bytes"] <= 4e6
    measured = validate(rgbdsod.load_model(name, device="cpu"), load_dataset(record["data"]["real photographs"]))
    assert measured == pytest.approx(record["figures"]["real photographs"], abs=2e-3)
