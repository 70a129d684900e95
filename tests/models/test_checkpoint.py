"""Weights files: every layout is read, nothing in them is run, and each kind of damage is named."""

import argparse
import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rgbdsod.errors import WeightsError
from rgbdsod.models.checkpoint import file_hash, read_state, save_asset, verify
from rgbdsod.models.fitting import check_finite, fit
from rgbdsod.models.wrap import wrap

State = dict[str, Tensor]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


@pytest.fixture
def state() -> State:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value.clone()
        for name, value in network().state_dict().items()
    }


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


LAYOUTS: dict[str, Callable[[State], Any]] = {
    "bare": lambda state: state,
    "model": lambda state: {"model": state, "optimizer": {"param_groups": []}, "current_epoch": 3},
    "state_dict": lambda state: {"epoch": 3, "arch": "x", "state_dict": state},
    "nested": lambda state: {"state_dict": {"model": state}},
    "module.": prefixed("module."),
    "model.": prefixed("model."),
    "module.model.": prefixed("module.model."),
    "model.module.": prefixed("model.module."),
    "wrapped and prefixed": lambda state: {"model": prefixed("module.")(state)},
    "no counters": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
    "a score as NumPy array": lambda state: {"best_metric": np.array(0.3), "model": state},
}


def check_loads(path: Path, state: State) -> None:
    fitted = fit(read_state(path), network().state_dict())
    assert fitted.differences == 0
    assert fitted.state.keys() == state.keys()
    for name, value in state.items():
        assert torch.equal(fitted.state[name], value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_layout_is_read(tmp_path: Path, state: State, layout: str, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(LAYOUTS[layout](state), path, _use_new_zipfile_serialization=zipped)
    check_loads(path, state)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".pth.tar", ".bin"])
def test_the_suffix_does_not_matter(tmp_path: Path, state: State, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save(state, path)
    check_loads(path, state)


def test_safetensors_are_read(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(prefixed("model.")(state), path)
    check_loads(path, state)


def test_an_array_written_under_numpy_1_is_read(tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    torch.save({"best_metric": np.array(0.3), "model": state}, buffer, _use_new_zipfile_serialization=False)
    new, old = b"numpy._core.multiarray", b"numpy.core.multiarray"
    content = buffer.getvalue()
    path = tmp_path / "best.pth"
    path.write_bytes(content.replace(b"c" + new, b"c" + old))
    assert b"c" + old in path.read_bytes()
    check_loads(path, state)


def test_other_arrays_and_code_are_refused(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.pth"
    for name, content in {
        "argparse.Namespace": argparse.Namespace(lr=1.0),
        "numpy.dtypes.Int64DType": np.array([1]),
    }.items():
        torch.save({"model": state, "extra": content}, path)
        with pytest.raises(WeightsError, match=f"holds pickled code.*{name}.*which is not run; save the plain weights"):
            read_state(path)


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(WeightsError):
        read_state(path)
    torch.save({"model": Evil()}, path)
    with pytest.raises(WeightsError):
        read_state(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, state: State, zipped: bool, share: float) -> None:
    path = tmp_path / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"weights\.pth is damaged or no checkpoint .*; download it again"):
        read_state(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; download it again"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page, not weights"),
        (b"<HTML>", "is a web page, not weights"),
        (b"some text\n" * 50, "is damaged or no checkpoint"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is damaged or no checkpoint"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as error:
        read_state(path)
    assert error.value.code == 4
    assert str(path) in str(error.value)


def test_a_damaged_safetensors_file_is_named(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(WeightsError, match="is damaged or no safetensors file"):
        read_state(path)


def test_a_missing_file_and_a_file_without_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights file .*none\.pth"):
        read_state(tmp_path / "none.pth")
    path = tmp_path / "log.pth"
    for content, found in (({"epoch": 3, "lr": 0.1}, "epoch, lr"), ([1, 2], "list"), ({}, "nothing")):
        torch.save(content, path)
        with pytest.raises(WeightsError, match=rf"holds no weights \(found: {found}\)"):
            read_state(path)


@pytest.mark.parametrize(
    "name",
    [
        "cifar10_resnet/resnet20-12fca82f.th",
        "csnet_sod/csnet-L-x1.pth.tar",
        "fastestdet_coco/weight_AP05_0.253207_280-epoch.pth",
    ],
)
def test_real_checkpoints_are_read(shared: Path, name: str) -> None:
    state = read_state(shared / "data" / "weights" / name)
    assert len(state) > 50
    assert all(isinstance(value, Tensor) for value in state.values())


# Fitting


def test_old_densenet_names_are_understood() -> None:
    target = {"denselayer1.norm1.weight": torch.zeros(2), "denselayer1.conv2.weight": torch.zeros(2, 2, 1, 1)}
    old = {"denselayer1.norm.1.weight": torch.ones(2), "denselayer1.conv.2.weight": torch.ones(2, 2, 1, 1)}
    fitted = fit(old, target)
    assert fitted.differences == 0
    assert fitted.state["denselayer1.norm1.weight"].tolist() == [1, 1]


def test_a_prefix_that_belongs_to_the_network_stays() -> None:
    target = {"model.weight": torch.zeros(2)}
    assert fit({"model.weight": torch.ones(2)}, target).differences == 0
    assert fit({"module.model.weight": torch.ones(2)}, target).differences == 0


def test_half_precision_becomes_the_networks_type(state: State) -> None:
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    fitted = fit(halves, network().state_dict())
    assert {value.dtype for value in fitted.state.values()} == {torch.float32, torch.int64}


def test_what_does_not_fit_is_listed_and_counted(state: State) -> None:
    changed = dict(state)
    del changed["0.bias"]
    changed["0.weight"] = torch.zeros(4, 1, 1, 1)
    changed |= {f"extra.{i}": torch.zeros(1) for i in range(5)}
    fitted = fit(changed, network().state_dict())
    assert fitted.differences == 7
    assert fitted.describe() == (
        "1 of 7 keys are missing (0.bias), 5 are unexpected (extra.0, extra.1, extra.2, ...), "
        "1 have another shape (0.weight is 4x1x1x1, expected 4x3x1x1)"
    )


def test_weights_that_are_no_numbers_are_refused(state: State) -> None:
    check_finite(state, "x.pth")
    state["1.weight"][2] = float("nan")
    with pytest.raises(WeightsError, match=r"x\.pth: 1 of 7 tensors hold NaN or infinity \(first: 1\.weight\)"):
        check_finite(state, "x.pth")


# Assets


def test_an_asset_is_written_in_half_precision_and_comes_back(tmp_path: Path, state: State) -> None:
    net = network()
    net.load_state_dict(state)
    path = tmp_path / "new" / "net.safetensors"
    record = save_asset(wrap(net, inputs=("rgb",)), path)
    assert record == {"sha256": file_hash(path), "bytes": path.stat().st_size, "parameters": 24}
    read = read_state(path)
    assert {value.dtype for value in read.values()} == {torch.float16, torch.int64}
    assert torch.equal(fit(read, state).state["0.weight"], state["0.weight"].half().float())
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.safetensors"]


def test_a_checksum_is_compared_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(bytes(117_000_000))
    found = file_hash(path)
    verify(path, "bbsnet.njunlpr", found, 117_000_000)
    with pytest.raises(WeightsError) as error:
        verify(path, "bbsnet.njunlpr", "4e07" + "0" * 60, 201_000_000)
    assert str(error.value) == (
        f"bbsnet.njunlpr: sha256 is {found[:4]}..., expected 4e07...; "
        "the file is incomplete (117 of 201 MB); delete it and fetch again"
    )
    with pytest.raises(WeightsError, match=r"the file is not the original; install rgbdsod again$"):
        verify(path, "bbsnet.demo", "4e07" + "0" * 60, 3, "install rgbdsod again")


def test_numpy_rebuilds_arrays_with_the_function_that_is_allowed() -> None:
    rebuild = np.empty(0).__reduce__()[0]
    assert rebuild.__name__ == "_reconstruct"
    assert rebuild.__module__ in sys.modules
