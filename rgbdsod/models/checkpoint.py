"""Weights files: read without running what is in them, checked by SHA-256, written as float16 safetensors."""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rgbdsod.errors import WeightsError
from rgbdsod.foreign.arrays import check_unpacked
from rgbdsod.foreign.files import UnfitError, plain, reason
from rgbdsod.foreign.tensors import read_tensors

State = dict[str, Tensor]
"""Tensors by their name in a module."""

_CONTAINERS = ("model", "state_dict", "model_state_dict")
_REFUSED = re.compile(r"GLOBAL (\S+)|got <class '(\S+)'>")  # how torch names what it will not build
_NESTED = 4  # containers in containers
_SLACK = 64 << 20  # bytes that an archive may be larger unpacked; torch packs nothing
_HEAD = 512  # bytes in which a web page shows itself

# A score kept beside the weights (D3Net's `best_metric`) is a NumPy array: what rebuilds one may run, nothing else.
_rebuild_array = np.empty(0).__reduce__()[0]
_NUMPY_HELPERS: list[Any] = [
    (_rebuild_array, "numpy.core.multiarray._reconstruct"),  # its name in files written under NumPy 1
    (_rebuild_array, "numpy._core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    type(np.dtype(np.float64)),
]


def read_state(path: Path) -> State:
    """The tensors of a weights file, as they are named there.

    Args:
        path: .safetensors, or what `torch.save` wrote under any other suffix: a state dict, bare or under "model" or
            "state_dict".

    Raises:
        WeightsError: the file is missing, empty, damaged, a web page, holds code, or holds no tensors.
    """
    content = read_content(path)
    for _ in range(_NESTED):
        inner = (content.get(key) for key in _CONTAINERS) if isinstance(content, Mapping) else ()
        content = next((own for own in inner if isinstance(own, Mapping)), content)
    tensors = plain_tensors(path, content)
    if not tensors:
        names = map(str, list(content)[:5]) if isinstance(content, Mapping) else [type(content).__name__]
        found = plain(", ".join(names)) or "nothing"
        raise WeightsError(f"{path} holds no weights (found: {found}); pass a file with a state dict")
    return tensors


def plain_tensors(path: Path, content: Any) -> State:
    """The tensors of a mapping by name, empty for anything else.

    Raises:
        WeightsError: one is sparse, quantised, complex or has no values, which no network here takes.
    """
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    for name, value in tensors.items():
        dense = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not dense or value.is_complex():
            raise WeightsError(f"{path}: {plain(name)} is no plain tensor of real numbers; save plain weights")
    return tensors


def read_content(path: Path) -> Any:
    """Everything that a weights file holds, in its own layout; nothing in it is run.

    Args:
        path: .safetensors, or what `torch.save` wrote under any other suffix.

    Raises:
        WeightsError: the file is missing, empty, damaged, a web page, or holds code.
    """
    _check_file(path)
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def file_hash(*paths: Path) -> str:
    """SHA-256 of the files' contents, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def verify(path: Path, name: str, sha256: str, size: int, cure: str = "delete it and fetch again") -> None:
    """Refuse a file that is not the expected one, before anything in it is read.

    Args:
        path: the weights file.
        name: whose weights these are.
        sha256: expected checksum.
        size: expected size in bytes.
        cure: what the user should do.

    Raises:
        WeightsError: with both checksums and the cure.
    """
    found = file_hash(path)
    if found == sha256:
        return
    short = path.stat().st_size
    how = f"incomplete ({_megabytes(short)} of {_megabytes(size)} MB)" if short < size else "not the original"
    raise WeightsError(f"{name}: sha256 is {found[:4]}..., expected {sha256[:4]}...; the file is {how}; {cure}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}" if size >= 1e7 else f"{size / 1e6:.2g}"


def save_asset(model: nn.Module, path: Path) -> dict[str, Any]:
    """Write weights as they are shipped: floating point as float16, in one safetensors file.

    Args:
        model: a `SaliencyModel`, or the raw network.
        path: of the new file, ending in .safetensors; replaced in one step.

    Returns:
        "sha256", "bytes" and "parameters", to be kept in the .json file beside it.
    """
    network = getattr(model, "network", model)
    state = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file(state, temporary)
    temporary.chmod(0o644)  # the library makes a private file, but these are shipped
    temporary.replace(path)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"sha256": file_hash(path), "bytes": path.stat().st_size, "parameters": parameters}


def _check_file(path: Path) -> None:
    """Refuse what can be seen to be no weights file without reading all of it."""
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; check the path")
    with path.open("rb") as file:
        head = file.read(_HEAD).lstrip().lower()
    if not head:
        raise WeightsError(f"{path} is empty; download it again")
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(f"{path} is a web page, not weights; open the link in a browser and save the file itself")


def _read_safetensors(path: Path) -> State:
    try:
        return read_tensors(path)[0]
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file ({reason(error)}); download it again") from error


def _read_pickle(path: Path) -> Any:
    try:
        _check_archive(path)
        with torch.serialization.safe_globals(_NUMPY_HELPERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnfitError as error:
        raise WeightsError(f"{path} {error}") from error
    except Exception as error:  # a damaged file raises nearly any kind
        refused = _REFUSED.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if refused is not None:
            raise WeightsError(
                f"{path} holds pickled code ({refused[1] or refused[2]}), which is not run; save the plain weights "
                "with torch.save(network.state_dict(), FILE) and pass that file"
            ) from error
        raise WeightsError(f"{path} is damaged or no checkpoint ({type(error).__name__}); download it again") from error


def _check_archive(path: Path) -> None:
    """Refuse a small zip file that would fill the memory."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive.infolist(), path.stat().st_size + _SLACK)
