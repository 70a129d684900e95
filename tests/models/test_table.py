"""The models table is complete, consistent with the networks, and free of torch."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from rgbdsod.models import table
from rgbdsod.models.table import ASSETS, MODELS, ModelRow


@pytest.fixture(params=MODELS.names())
def row(request: pytest.FixtureRequest) -> ModelRow:
    return MODELS[request.param]


def test_the_table_imports_no_torch() -> None:
    code = (
        "import sys; from rgbdsod.models import MODELS; list(MODELS); MODELS['bbsnet'].record; "
        "print(sorted({'torch', 'numpy', 'cv2'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_bare_name_is_the_demo() -> None:
    for name in ("bbsnet", "jldcf", "d3net"):
        short, full = MODELS[name], MODELS[f"{name}.demo"]
        assert replace(short, name=full.name, canonical="") == full
        assert short.full_name == full.full_name == full.name


def test_every_row_can_be_built(row: ModelRow) -> None:
    module, function = row.builder.split(":")
    assert callable(getattr(import_module(module), function))
    assert all(side % row.multiple == 0 for side in row.size)
    assert row.paper.url == f"https://arxiv.org/abs/{row.paper.arxiv}"
    assert row.licence and row.training
    assert row.fusion in row.fusions
    assert set(row.encoders.values()) <= set(MODELS.names())


def test_numbers_fit_the_channels(row: ModelRow) -> None:
    assert tuple(row.inputs) == ("rgb", "depth")
    for spec in row.inputs.values():
        for values in (spec.mean, spec.std):
            assert values is None or len(values) == spec.channels * spec.repeat


def test_published_preprocessing() -> None:
    assert [spec.resize for spec in MODELS["bbsnet.paper"].inputs.values()] == ["antialias", "antialias"]
    assert [spec.resize for spec in MODELS["d3net.paper"].inputs.values()] == ["bilinear", "nearest"]
    assert (MODELS["bbsnet.paper"].size, MODELS["d3net.paper"].size) == ((352, 352), (224, 224))
    jldcf = MODELS["jldcf.paper-vgg16"]
    assert (jldcf.inputs["depth"].near, jldcf.inputs["depth"].repeat, jldcf.size) == ("dark", 3, (320, 320))
    assert [MODELS[f"{name}.paper"].align_corners for name in ("bbsnet", "jldcf", "d3net")] == [False, True, False]


def test_only_built_in_weights_carry_the_note(row: ModelRow) -> None:
    assert bool(row.note) == (row.asset is not None)
    assert (row.asset_file is None) == (row.asset is None)


def test_the_record_is_read_from_beside_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "ASSETS", tmp_path)
    row = MODELS["bbsnet"]
    assert (row.record, row.sha256, row.bytes) == ({}, None, None)
    (tmp_path / "bbsnet.json").write_text(json.dumps({"sha256": "ab", "bytes": 3, "figures": {"sm": 0.9}}))
    assert (row.sha256, row.bytes, row.record["figures"]) == ("ab", 3, {"sm": 0.9})
    assert MODELS["bbsnet.paper"].record == {}


def test_built_in_weights_are_small_and_have_a_record(row: ModelRow) -> None:
    if row.asset_file is None or not row.asset_file.is_file():
        pytest.skip("no built-in weights")
    assert row.asset_file.parent == ASSETS
    assert row.asset_file.stat().st_size == row.bytes
    assert row.asset_file.stat().st_size <= 4e6
    assert {"sha256", "bytes", "parameters"} <= set(row.record)
