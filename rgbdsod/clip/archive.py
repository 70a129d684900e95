"""TorchScript archives, the form of OpenAI's original files: their tensors are read, none of their code is run."""

import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rgbdsod.errors import WeightsError
from rgbdsod.foreign.arrays import check_unpacked
from rgbdsod.foreign.files import UnfitError

_STORAGES: Mapping[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}


_SLACK = 64 << 20  # bytes that an archive may be larger unpacked: its source text is packed, its tensors are not


class Archive(NamedTuple):
    """What is taken from a TorchScript archive.

    Attributes:
        state: its parameters and other tensors by their path in the module.
        activation: "gelu" or "quickgelu", by the archive's own source text.
    """

    state: dict[str, Tensor]
    activation: str


def is_archive(path: Path) -> bool:
    """Whether a file is a TorchScript archive; what `torch.save` writes is a zip file too, but has no constants."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def read_archive(path: Path) -> Archive:
    """The tensors of a TorchScript archive.

    Args:
        path: a file that `is_archive` accepts.

    Raises:
        WeightsError: the file is damaged, or refers to Python code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive.infolist(), path.stat().st_size + _SLACK)
            listing = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            module = _Reader(archive, listing.removesuffix(".pkl"), path).load()
            state = dict(_tensors(module))
            source = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".py"))
    except WeightsError:
        raise
    except UnfitError as error:
        raise WeightsError(f"{path} {error}") from error
    except Exception as error:  # a damaged file raises nearly any kind
        raise WeightsError(f"{path} is a damaged archive ({type(error).__name__}); download it again") from error
    return Archive(state, "gelu" if "torch.gelu(" in source else "quickgelu")


class _Module:
    """Stands for any module of the archive: it holds attributes and can do nothing."""


class _Reader(pickle.Unpickler):
    """Builds tensors, plain containers and `_Module`s; every other name is refused."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, path: Path) -> None:
        listing = archive.read(f"{folder}.pkl")
        _check_memo(listing)
        super().__init__(BytesIO(listing))
        self._archive, self._folder, self._path = archive, folder, path

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for."""
        if module.startswith("__torch__"):
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":  # lists with the type of their items
            return _first
        raise WeightsError(f"{self._path} holds pickled code ({module}.{name}), which is not run; use another file")

    def persistent_load(self, pid: Any) -> Tensor:
        """The flat storage that a tensor is a view of."""
        _, dtype, key, _, count = pid
        content = bytearray(self._archive.read(f"{self._folder}/{key}"))
        return torch.frombuffer(content, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)


def _check_memo(program: bytes) -> None:
    """Refuse a place in the memo that is beyond all instructions: it would be made room for."""
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name.endswith("PUT") and int(argument or 0) > len(program):
            raise ValueError("a pickle with a memo larger than itself")


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _first(value: Any, *_: Any) -> Any:
    return value


def _tensors(module: _Module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}.")
